import { secretsOf } from "@mlpipe/dsl";
import { Planner } from "@mlpipe/planner";
import { redactDocument, secretValues } from "@mlpipe/provenance";
import { columns, print, printJson, say } from "../output.ts";
import { styleFor } from "../style.ts";
import { count } from "../format.ts";
import { openSession, type PipelineOptions } from "./session.ts";
import { forced, type Selection, selectedSteps } from "./step-words.ts";

/** `mlpipe plan`: what would run, and why. */
export async function plan(named: string | undefined, options: PipelineOptions & Selection): Promise<number> {
  const { project, manifest, keyFunctions, store } = await openSession(named, options, { looking: true });
  try {
    const force = forced(manifest, options.force);
    const planner = new Planner({
      manifest,
      keyFunctions,
      store,
      root: project.root,
      env: process.env,
      force,
    });
    const whole = planner.plan();
    const selected = selectedSteps(planner.graph.manifest, options);
    const planned = redactDocument(
      { ...whole, steps: whole.steps.filter(({ id }) => selected?.has(id) ?? true) },
      secretValues(secretsOf(manifest.steps, process.env)),
    );
    if (options.json === true) {
      printJson(planned);
      return 0;
    }
    const style = styleFor(process.stdout);
    const words = {
      run: style("strong", "run"),
      cached: style("good", "cached"),
      unknown: style("quiet", "waits"),
    };
    const rows = planned.steps.flatMap(({ id, decision, reasons, each }, index) => {
      const why = style("quiet", summaryOf(reasons.map(({ message }) => message)));
      if (each === undefined) return [[`  ${id}`, words[decision], why]];
      // One line says of a fan-out what it waits for; below it stands what there will be for each item.
      const row = [`    ${id}`, words[decision], style("quiet", "once for each item")];
      return planned.steps[index - 1]?.each === each ? [row] : [[`  ${each}`, words[decision], why], row];
    });
    print(style("strong", planned.pipeline));
    for (const line of columns(rows)) print(line);
    const counts = Object.groupBy(planned.steps, ({ decision }) => decision);
    const parts = [
      `${counts.run?.length ?? 0} to run`,
      `${counts.cached?.length ?? 0} cached`,
      ...(counts.unknown === undefined
        ? []
        : [`${counts.unknown.length} known once the steps before have run`]),
    ];
    print(`${count(planned.steps.length, "step")}: ${parts.join(", ")}`);
    for (const warning of planned.warnings ?? [])
      say(`${styleFor(process.stderr)("warning", "warning")}  ${warning}`);
    return 0;
  } finally {
    store.close();
  }
}

/** Reasons in one line; `mlpipe why` has them all. */
export function summaryOf(messages: readonly string[]): string {
  const shown = messages.slice(0, 2).join("; ");
  return messages.length > 2 ? `${shown}; and ${messages.length - 2} more` : shown;
}
