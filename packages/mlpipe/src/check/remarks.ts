/** What is said of each finding, apart from what the rules on single uses say themselves. */
import type { ManifestSite, ManifestStep } from "@mlpipe/dsl";
import type { Finding } from "@mlpipe/planner";
import type { Remark } from "./finding.ts";
import type { Verdict } from "./rules/rule.ts";

const lookAgain = "Look whether this is meant.";

export function remarkOf({ code, message, hint }: Verdict, at: ManifestSite): Remark {
  return { code, severity: "error", message, hint, at };
}

export function capturedFrom(
  name: string,
  { what, at: { file, line } }: { readonly what: string; readonly at: ManifestSite },
  at: ManifestSite,
): Remark {
  return {
    code: "MLP6105",
    severity: "error",
    message: (steps) =>
      `${name} is captured by ${steps} from the function around it: its value comes from ${what} (${file}:${line}) and is not part of the key.`,
    hint: `Make ${name} an input port, and give it in the pipeline.`,
    at,
  };
}

export function writtenBy(name: string, writer: string, at: ManifestSite): Remark {
  return {
    code: "MLP6106",
    severity: "error",
    message: (steps) =>
      `The variable ${name} is read by ${steps} and written by ${writer}: each step has a process of its own, and what is written there is not seen here.`,
    hint: "Pass the value on through ports: an output of the one step, an input of the other.",
    at,
  };
}

export function neverCached(finding: Finding, kind: ManifestStep["kind"], at: ManifestSite): Remark {
  const isDeploy = kind === "deploy";
  return {
    code: "MLP6110",
    severity: "error",
    message: (steps) =>
      `No ${isDeploy ? "deploy" : "result"} of ${steps} is ever ${isDeploy ? "skipped" : "cached"}: ${finding.message}.`,
    hint:
      finding.hint ??
      `Name what it is made of with files: [...]${isDeploy ? "." : ", or say that this is meant: cache: false."}`,
    at,
  };
}

/** What the planner remarks on without refusing to keep results. */
export function warning(finding: Finding, at: ManifestSite): Remark {
  const message = (steps: string): string => `${steps}: ${finding.message}.`;
  return { code: "MLP6111", severity: "warning", message, hint: finding.hint ?? lookAgain, at };
}

/** A warning that came up while the pipeline was built. */
export function ofManifest(message: string, at: ManifestSite): Remark {
  const hint = message.includes("seed()") ? "Take a seed through a port: seed: seed()." : lookAgain;
  return { code: "MLP6111", severity: "warning", message: () => message, hint, at };
}

export function notFound(at: ManifestSite): Remark {
  return {
    code: "MLP6112",
    severity: "warning",
    message: (steps) => `The function of ${steps} was not found in the source, so it was not checked.`,
    hint: "Write the step's run or check where the step is defined: run(inputs, out) { … }.",
    at,
  };
}

export function withoutReason(at: ManifestSite): Remark {
  return {
    code: "MLP6113",
    severity: "error",
    message: () => "A comment that silences a finding names its code and a reason, and this one does not.",
    hint: "// mlpipe-check-ignore MLP6102: why it is harmless here",
    at,
  };
}
