/** The two worlds that a random sequence is played in: planner and store alone, and the real command line. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Planner, type ResolvedInput } from "@mlpipe/planner";
import { digestOf, openStore, type Store } from "@mlpipe/store";
import { finished, mlpipe, type RunJson } from "../e2e/project.ts";
import { spawn } from "node:child_process";
import { type Made, type RunDecision, runInProcess } from "./in-process-run.ts";
import { filesOf, manifestOf, type Shape, type State, stepValue, textOf } from "./random-pipeline.ts";
import { scratchFolder } from "./scratch-folder.ts";

/** What became of a step in a run. */
export interface Outcome {
  readonly id: string;
  readonly status: string;
  readonly stepRun: string | null;
  /** The digest of its output. */
  readonly output: string | undefined;
  readonly reasons: readonly string[];
}

const workspace = join(import.meta.dirname, "../..");

/** A project on the disk. */
export abstract class World implements Disposable {
  readonly root: string;
  readonly #written = new Map<string, string>();

  constructor(root: string) {
    this.root = root;
    mkdirSync(join(this.root, "node_modules"));
    symlinkSync(join(workspace, "packages/mlpipe"), join(this.root, "node_modules/mlpipe"));
    symlinkSync(realpathSync(join(workspace, "node_modules/zod")), join(this.root, "node_modules/zod"));
  }

  /** Writes those files that are other than before. */
  write(shape: Shape, state: State): void {
    for (const [path, text] of Object.entries(filesOf(shape, state))) {
      if (this.#written.get(path) === text) continue;
      mkdirSync(dirname(join(this.root, path)), { recursive: true });
      writeFileSync(join(this.root, path), text);
      this.#written.set(path, text);
    }
  }

  /** Gives a file another time. */
  touch(at: number): void {
    const files = [...this.#written.keys()].toSorted();
    const file = files[at % files.length];
    const later = new Date(Date.now() + 10_000);
    if (file !== undefined) utimesSync(join(this.root, file), later, later);
  }

  hasObject(text: string): boolean {
    return existsSync(this.#objectOf(text));
  }

  removeObject(text: string): void {
    rmSync(this.#objectOf(text), { force: true });
  }

  #objectOf(text: string): string {
    const digest = digestOf(text);
    return join(this.root, ".mlpipe/objects", digest.slice(0, 2), digest.slice(2));
  }

  abstract run(shape: Shape, state: State, forced: ReadonlySet<string>): Promise<readonly Outcome[]>;

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Planner and store are real, and no process is started. */
export class PlannedWorld extends World {
  readonly #store: Store;

  constructor() {
    super(scratchFolder());
    this.#store = openStore(join(this.root, ".mlpipe"));
  }

  async run(shape: Shape, state: State, force: ReadonlySet<string>): Promise<readonly Outcome[]> {
    const store = this.#store;
    const manifest = manifestOf(shape, state);
    const env = { PATH: process.env["PATH"] };
    const planner = new Planner({ manifest, store, root: this.root, env, force });
    const indices = new Map(manifest.steps.map(({ id }, index) => [id, index]));
    const settled = runInProcess({
      manifest,
      store,
      planner,
      execute: ({ id }, decision) => this.#execute(shape, state, indices.get(id) ?? 0, decision),
    });
    return settled.map(({ id, status, stepRun, outputs, decision }) => ({
      id,
      status,
      stepRun,
      output: outputs["out"]?.digest,
      reasons: decision.reasons.map(({ message }) => message),
    }));
  }

  /** Does what the code says, with what the inputs hold. */
  #execute(shape: Shape, state: State, step: number, { inputs }: RunDecision): Made {
    const at = shape.steps[step]?.definition ?? 0;
    const given = Object.values(inputs).reduce((sum, input) => sum + this.#numberIn(input), 0);
    const value = stepValue(shape, state, at, given);
    return { outputs: { out: textOf(shape.definitions[at]?.kind ?? "value", value) } };
  }

  #numberIn(input: ResolvedInput): number {
    if (input.type === "value") return Number(input.value);
    if (input.type !== "object" && input.type !== "source") throw new Error(`no such input: ${input.type}`);
    const path = input.type === "source" ? input.absolute : this.#store.objects.pathOf(input.content);
    const lines = readFileSync(path, "utf8").split("\n");
    return lines.reduce((sum, line) => sum + (/^\d+$/.test(line) ? Number(line) : 0), 0);
  }

  override [Symbol.dispose](): void {
    this.#store.close();
    super[Symbol.dispose]();
  }
}

/** Everything is real. */
export class CommandLineWorld extends World {
  constructor() {
    super(realpathSync(mkdtempSync(join(tmpdir(), "mlpipe-random-"))));
  }

  async run(_shape: Shape, _state: State, forced: ReadonlySet<string>): Promise<readonly Outcome[]> {
    const args = ["run", "--json", ...(forced.size > 0 ? ["--force", ...forced] : [])];
    const { FORCE_COLOR: _color, CI: _ci, GITHUB_ACTIONS: _actions, ...env } = process.env;
    const child = spawn(process.execPath, [mlpipe, ...args], {
      cwd: this.root,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const { exit, stdout, stderr } = await finished(child);
    if (exit !== 0) throw new Error(`mlpipe ${args.join(" ")} exited with ${exit}:\n${stdout}\n${stderr}`);
    // The shape is that of `run --json`.
    const { steps } = JSON.parse(stdout) as RunJson;
    return steps.map(({ id, status, stepRun, outputs, reasons }) => ({
      id,
      status,
      stepRun,
      output: outputs["out"]?.digest,
      reasons: reasons.map(({ message }) => message),
    }));
  }
}
