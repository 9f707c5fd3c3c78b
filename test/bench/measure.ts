/** Measures all tools on one workload, in turn: A B C A B C …, so that a slow minute of the machine hits all alike. */
import { globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Launched, Launcher } from "./launcher.ts";
import type { Entry } from "./results.ts";
import type { Measure, Tool } from "./tool.ts";
import { projectOf } from "./toolbox.ts";
import { copiesOf, type Workload, writeSources } from "./workload.ts";

/** How a case's time is divided. Cold runs come first: without one there is nothing to look at again. */
const shares: readonly (readonly [Measure, number])[] = [
  ["cold", 0.5],
  ["no-op", 0.25],
  ["leaf", 0.17],
  ["plan", 0.08],
];

interface Case {
  readonly workload: Workload;
  readonly tools: readonly Tool[];
  readonly launcher: Launcher;
  readonly base: string;
  readonly env: Readonly<Record<string, string>>;
  readonly repeat: number;
  readonly seconds: number;
  /** Tools that gave up at a smaller size, with the reason. They are not asked again; this adds to them. */
  readonly gaveUp: Map<string, string>;
  readonly say: (line: string) => void;
}

/** Measures a workload, and gives what was found with the memory that cannot be told apart from nothing. */
export async function measure(given: Case): Promise<{ readonly entries: Entry[]; readonly floor: number }> {
  return new Measuring(given).run();
}

class Measuring {
  readonly #case: Case;
  readonly #entries: Entry[] = [];
  readonly #spent = new Map<Entry, number>();
  #floor = 0;
  #edits = 0;

  constructor(given: Case) {
    this.#case = given;
  }

  async run(): Promise<{ readonly entries: Entry[]; readonly floor: number }> {
    const { workload, tools, seconds, say } = this.#case;
    const end = performance.now() + seconds * 1000;
    const taking = tools.filter((tool) => tool.does(workload).length > 0);
    const given = new Set<string>();
    for (const tool of taking) {
      const project = this.#project(tool);
      mkdirSync(project, { recursive: true });
      // One copy of the sources for all that share a project.
      if (!given.has(project)) writeSources(project, workload);
      given.add(project);
      if (this.#case.gaveUp.has(tool.name)) continue;
      tool.write(project, workload);
      this.#forget(tool);
    }
    await this.#prime(taking);
    let open = 1;
    for (const [measure, share] of shares) {
      const phase = Math.max(0, (end - performance.now()) * (share / open));
      open -= share;
      const doing = taking.filter((tool) => tool.does(workload).includes(measure));
      if (doing.length === 0) continue;
      say(`  ${measure}: ${doing.length} tools, ${Math.round(phase / 1000)} s at most`);
      await this.#phase(measure, doing, phase);
    }
    return { entries: this.#entries, floor: this.#floor };
  }

  /** Cold results for those tools whose first run is not measured here. */
  async #prime(tools: readonly Tool[]): Promise<void> {
    for (const tool of tools) {
      const does = tool.does(this.#case.workload);
      if (tool.prime === undefined || does.length === 0 || does.includes("cold")) continue;
      if (this.#case.gaveUp.has(tool.name)) continue;
      const primed = await this.#launch(
        tool,
        tool.run(this.#case.workload),
        this.#case.seconds / 3,
        tool.prime,
      );
      this.#judge(tool, primed);
    }
  }

  async #phase(measure: Measure, tools: readonly Tool[], ms: number): Promise<void> {
    const end = performance.now() + ms;
    const entries = new Map(tools.map((tool) => [tool, this.#entry(tool, measure)]));
    for (let turn = 0; turn < this.#case.repeat; turn++) {
      if (measure === "leaf") this.#edits++;
      for (const [tool, entry] of entries) {
        const gaveUp = this.#case.gaveUp.get(tool.name);
        if (gaveUp !== undefined) {
          if (entry.ms.length === 0) entry.reason = gaveUp;
          continue;
        }
        const left = end - performance.now();
        const isOften = tool.role === "subject" || tool.role === "floor";
        if (turn > 0) {
          // A slow tool may repeat within its part of the time; mlpipe and the floors, which ratios need, within all.
          const once = this.#usual(entry);
          if (left < once || (!isOften && once * (turn + 1) > ms / tools.length)) continue;
        }
        const limit = isOften
          ? left * 0.9
          : Math.min(left * 0.5, left - this.#reserve(entries.values(), turn, ms));
        if (limit >= 100) await this.#sample(tool, measure, entry, limit);
        else if (entry.ms.length === 0) entry.reason = this.#noTime(tool, measure);
      }
    }
  }

  /** Time to keep for the repetitions of those that were quick: a slow tool must not take it. */
  #reserve(entries: Iterable<Entry>, turn: number, ms: number): number {
    let sum = 0;
    for (const entry of entries) {
      if (entry.ms.length > 0) sum += this.#usual(entry) * (this.#case.repeat - 1 - turn);
    }
    return Math.min(sum, ms * 0.4);
  }

  /** What one run of a measure took so far, on average. */
  #usual(entry: Entry): number {
    return (this.#spent.get(entry) ?? 0) / Math.max(1, entry.ms.length);
  }

  /** Without a cold run there is nothing to go on with; any other measure can be missing alone. */
  #noTime(tool: Tool, measure: Measure): string {
    const reason = "no time left in this run of the benchmark";
    return measure === "cold" ? this.#giveUp(tool, reason) : reason;
  }

  async #sample(tool: Tool, measure: Measure, entry: Entry, limitMs: number): Promise<void> {
    const { workload } = this.#case;
    if (measure === "cold") this.#forget(tool);
    if (measure === "leaf") this.#edit(tool);
    const argv = measure === "plan" ? tool.plan?.(workload) : tool.run(workload);
    if (argv === undefined) return;
    const launched = await this.#launch(tool, argv, limitMs / 1000);
    this.#spent.set(entry, (this.#spent.get(entry) ?? 0) + launched.ms);
    const reason = this.#judge(tool, launched) ?? this.#wrong(tool, measure);
    if (reason !== undefined) {
      if (entry.ms.length === 0) entry.reason = reason;
      return;
    }
    entry.ms.push(Math.round(launched.ms * 100) / 100);
    entry.peak.push(launched.peak);
  }

  /** Why a run does not count, and then no later run of the tool will. */
  #judge(tool: Tool, { exit, late, said, ms }: Launched): string | undefined {
    if (late) return this.#giveUp(tool, `stopped after ${Math.round(ms / 1000)} s`);
    if (exit === 0) return undefined;
    this.#case.say(`  ${tool.name} failed:\n${said}`);
    return this.#giveUp(tool, exit < 0 ? `ended by signal ${-exit}` : `failed with exit code ${exit}`);
  }

  /** Looks at the last output and at the edited one: a tool that is fast because it did nothing is not fast. */
  #wrong(tool: Tool, measure: Measure): string | undefined {
    const { workload } = this.#case;
    if (!tool.checkable || measure === "plan") return undefined;
    const copies = copiesOf(workload);
    for (const i of [copies.length - 1, this.#edited()]) {
      const copy = copies[i];
      if (copy === undefined) continue;
      const { to } = tool.place?.(copy, i) ?? copy;
      const origin = workload.shape === "chain" ? 0 : i;
      const before = `source ${origin}\n`;
      const edited = i === this.#edited() && workload.shape === "fan" && this.#edits > 0;
      let found = "";
      try {
        found = readFileSync(join(this.#project(tool), to), "utf8");
      } catch {
        // An output that is not there is a wrong one.
      }
      if (found !== (edited && measure === "leaf" ? this.#editedText() : before)) {
        return this.#giveUp(tool, "its outputs were wrong");
      }
    }
    return undefined;
  }

  #edited(): number {
    return Math.floor(this.#case.workload.size / 2);
  }

  #editedText(): string {
    return `edited source, turn ${this.#edits}\n`;
  }

  #edit(tool: Tool): void {
    const i = this.#edited();
    const copy = copiesOf(this.#case.workload)[i];
    if (copy === undefined) return;
    const { from } = tool.place?.(copy, i) ?? copy;
    writeFileSync(join(this.#project(tool), from), this.#editedText());
  }

  #forget(tool: Tool): void {
    const project = this.#project(tool);
    // Put aside and not deleted: for minutes after a few thousand files were, some file systems make new ones ten times as
    // slowly, and the next cold run would be measured by how many files the last one had made.
    const aside = mkdtempSync(join(dirname(project), "left-"));
    globSync([...tool.leaves], { cwd: project }).forEach((path, i) => {
      renameSync(join(project, path), join(aside, String(i)));
    });
  }

  #launch(
    tool: Tool,
    argv: readonly string[],
    seconds: number,
    more: Readonly<Record<string, string>> = {},
  ): Promise<Launched> {
    const { launcher, env } = this.#case;
    const cwd = this.#project(tool);
    return launcher
      .launch({ argv, cwd, env: { ...env, ...tool.env, ...more }, seconds: Math.max(1, seconds) })
      .then((launched) => {
        this.#floor = Math.max(this.#floor, launched.floor);
        return launched;
      });
  }

  #giveUp(tool: Tool, reason: string): string {
    const { workload, gaveUp, say } = this.#case;
    const told = `${reason} (${workload.shape} of ${workload.size.toLocaleString("en")})`;
    say(`  ${tool.name}: ${told}`);
    if (!gaveUp.has(tool.name)) gaveUp.set(tool.name, told);
    return told;
  }

  #entry(tool: Tool, measure: Measure): Entry {
    const { shape, size } = this.#case.workload;
    const entry: Entry = { shape, size, measure, tool: tool.name, role: tool.role, ms: [], peak: [] };
    this.#entries.push(entry);
    return entry;
  }

  /** Fans and chains are small enough for a copy each; many and large files are shared. */
  #project(tool: Tool): string {
    const { workload, base } = this.#case;
    const shared = workload.shape === "files" || workload.shape === "large";
    return shared ? join(base, "shared") : projectOf(base, tool);
  }
}
