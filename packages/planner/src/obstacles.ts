import { basename } from "node:path";
import type { ManifestStep } from "@mlpipe/dsl";
import type { StepIdentity } from "./identity.ts";
import type { Reason, ResolvedInput } from "./plan.ts";
import { logBeside } from "./write-ahead-log.ts";

/** Why the result of a step must not be kept at all. */
export function obstaclesTo(
  step: ManifestStep,
  identity: StepIdentity,
  inputs: Readonly<Record<string, ResolvedInput>>,
): readonly Reason[] {
  const reasons = identity.uncacheable.map((finding): Reason => ({
    part: "uncacheable",
    name: finding.site === undefined ? step.id : `${finding.site.file}:${finding.site.line}`,
    message: `not cached: ${finding.message}`,
  }));
  const given = Object.values(inputs);
  for (const input of given) {
    if (input.type === "many") given.push(...input.items.map((item) => item.input));
    if (input.type !== "source") continue;
    for (const why of notInDigest(input))
      reasons.push({ part: "uncacheable", name: input.path, message: `not cached: ${why}` });
  }
  if (step.cache.mode === "off") {
    reasons.push({ part: "uncacheable", name: step.id, message: "never cached (cache: false)" });
  }
  return reasons;
}

/** What a step sees of a source that its digest does not tell. */
function notInDigest({ path, absolute, content }: ResolvedInput & { type: "source" }): readonly string[] {
  const found: string[] = [];
  if (content.leaves !== undefined) {
    found.push(
      `in ${path} the link ${content.leaves} leads out of the folder, and what is there is not looked at`,
    );
  }
  const log = content.type === "file" ? logBeside(absolute) : undefined;
  if (log !== undefined) {
    found.push(
      `${basename(log)} holds changes that ${path} does not have yet. Close the database, or give the step a backup of it`,
    );
  }
  return found;
}
