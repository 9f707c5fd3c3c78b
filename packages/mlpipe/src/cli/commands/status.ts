import { Planner } from "@mlpipe/planner";
import { count, localTime } from "../format.ts";
import { columns, print, printJson } from "../output.ts";
import { styleFor } from "../style.ts";
import { summaryOf } from "./plan.ts";
import { openSession, type PipelineOptions } from "./session.ts";

/** `mlpipe status`: what is up to date, what is stale and why, and how the last run ended. */
export async function status(named: string | undefined, options: PipelineOptions): Promise<number> {
  const { project, manifest, keyFunctions, store } = await openSession(named, options, { looking: true });
  try {
    const planner = new Planner({ manifest, keyFunctions, store, root: project.root, env: process.env });
    const { steps } = planner.plan();
    const [last] = store.runs.list({ pipeline: manifest.pipeline, limit: 1 });
    const stale = steps.filter(({ decision }) => decision !== "cached");
    const lastRun =
      last === undefined ? null : { id: last.id, status: last.status, startedAt: last.startedAt };
    if (options.json === true) {
      printJson({
        schemaVersion: 1,
        pipeline: manifest.pipeline,
        upToDate: steps.length - stale.length,
        stale: stale.map(({ id, kind, decision, reasons }) => ({
          id,
          kind,
          because: decision === "unknown" ? "upstream" : "changed",
          reasons,
        })),
        expiring: steps.flatMap(({ id, expiresAt }) => (expiresAt === undefined ? [] : [{ id, expiresAt }])),
        lastRun,
      });
      return 0;
    }
    const style = styleFor(process.stdout);
    print(
      `${style("strong", manifest.pipeline)}  ` +
        (lastRun === null ? "never ran" : `last run ${lastRun.status} at ${localTime(lastRun.startedAt)}`),
    );
    const expiring = steps.filter(({ expiresAt }) => expiresAt !== undefined);
    const passing = expiring.map(({ id, reasons }) => [
      `  ${id}`,
      style("good", "fresh"),
      style("quiet", summaryOf(reasons.map(({ message }) => message))),
    ]);
    if (stale.length === 0) {
      for (const line of columns(passing)) print(line);
      print(`  ${style("good", "up to date")}: all of ${count(steps.length, "step")}`);
      return 0;
    }
    const rows = stale.map(({ id, decision, reasons }) => [
      `  ${id}`,
      style(decision === "run" ? "warning" : "quiet", decision === "run" ? "stale" : "after"),
      style("quiet", decision === "run" ? summaryOf(reasons.map(({ message }) => message)) : before(reasons)),
    ]);
    for (const line of columns([...rows, ...passing])) print(line);
    print(`${steps.length - stale.length} of ${count(steps.length, "step")} up to date`);
    return 0;
  } finally {
    store.close();
  }
}

function before(reasons: readonly { readonly name: string }[]): string {
  return reasons.map(({ name }) => name).join(", ");
}
