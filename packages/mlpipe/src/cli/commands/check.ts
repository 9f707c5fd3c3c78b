import { Planner } from "@mlpipe/planner";
import { check as findingsOf } from "../../check/check.ts";
import { count } from "../format.ts";
import { print, printJson } from "../output.ts";
import { renderError } from "../render-error.ts";
import { type Style, styleFor } from "../style.ts";
import { openSession, type PipelineOptions } from "./session.ts";

/** Exit code where something must be mended: it is the pipeline's source that does not hold. */
const foundExit = 2;

/** `mlpipe check`: what steps depend on and do not declare. Silent if there is nothing. */
export async function check(named: string | undefined, options: PipelineOptions): Promise<number> {
  const { project, manifest, keyFunctions, store } = await openSession(named, options, { looking: true });
  try {
    const { root } = project;
    const planner = new Planner({ manifest, keyFunctions, store, root, env: process.env });
    const findings = findingsOf({ manifest, root, planner });
    const { error: errors = [], warning: warnings = [] } = Object.groupBy(
      findings,
      ({ severity }) => severity,
    );
    const exit = errors.length > 0 ? foundExit : 0;
    if (options.json === true) {
      printJson({ schemaVersion: 1, pipeline: manifest.pipeline, findings });
      return exit;
    }
    const style = styleFor(process.stdout);
    for (const { code, severity, message, hint, at } of findings) {
      const isWarning = severity === "warning";
      const shown = { code, message: isWarning ? `Warning: ${message}` : message, hint, at: [at] };
      for (const line of renderError(shown, root, isWarning ? mild(style) : style)) print(line);
      print();
    }
    const counts = [
      ...(errors.length > 0 ? [count(errors.length, "error")] : []),
      ...(warnings.length > 0 ? [count(warnings.length, "warning")] : []),
    ];
    if (counts.length > 0) print(style("strong", counts.join(", ")));
    return exit;
  } finally {
    store.close();
  }
}

/** A style in which what looks bad looks like a warning. */
function mild(style: Style): Style {
  return (look, text) => style(look === "bad" ? "warning" : look, text);
}
