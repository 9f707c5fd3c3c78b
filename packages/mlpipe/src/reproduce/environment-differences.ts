/** What of a step's environment is not as it was recorded. */
import type { StepIdentity } from "@mlpipe/planner";
import type { HostDocument, Run, StepRun } from "@mlpipe/provenance";
import type { EnvironmentDifference } from "@mlpipe/provenance/reproduction";
import { canonicalJson, isDigest, type Store } from "@mlpipe/store";

/** The differences, those that results depend on most before those of the machine. */
export function environmentDifferences(
  store: Store,
  stepRun: StepRun,
  run: Run,
  here: { readonly identity: Pick<StepIdentity, "environment" | "packages">; readonly host: HostDocument },
): readonly EnvironmentDifference[] {
  const part = (digest: string | null | undefined): Readonly<Record<string, unknown>> => {
    const document = digest != null && isDigest(digest) ? store.parts.get(digest) : undefined;
    // Documents are written by the planner and the recorder alone; what one lacks reads as undefined.
    return (document ?? {}) as Readonly<Record<string, unknown>>;
  };
  const { keyParts } = stepRun;
  const was = part(keyParts["environment"]);
  // As above.
  const is = here.identity.environment.document as Readonly<Record<string, unknown>>;
  const hostBefore = part(run.env);
  const packages =
    keyParts["packages"] === here.identity.packages.digest
      ? []
      : between("package", part(keyParts["packages"]), here.identity.packages.document);
  return [
    ...packages,
    ...between("platform", pick(was, "platform", "arch"), pick(is, "platform", "arch")),
    ...between("node", pick(was, "node"), pick(is, "node")),
    ...between("python", pick(was, "python"), pick(is, "python")),
    ...between("tool", inner(was, "tools"), inner(is, "tools")),
    ...between("variable", inner(was, "variables"), inner(is, "variables")),
    ...(Object.keys(hostBefore).length === 0 ? [] : machineDifferences(hostBefore, { ...here.host })),
  ];
}

/** The differences in one line each. */
export function differenceText({ part, name, before, after }: EnvironmentDifference): string {
  const what = part === "machine" || part === name ? name : `${part} ${name}`;
  return `${what} ${before ?? "not there"} → ${after ?? "not there"}`;
}

function machineDifferences(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): readonly EnvironmentDifference[] {
  const [was, is] = [laterFacts(before), laterFacts(after)];
  return [
    ...between("machine", machineOf(before), machineOf(after)),
    // Earlier versions did not record these: that a record lacks them is no difference.
    ...between("machine", was, is).filter(({ before: then }) => then !== null),
  ];
}

/** What of a host results may depend on, a word each: a processor's model decides which instructions a library uses. */
function machineOf(host: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { node, container, gpus } = host;
  const [os, cpu] = [inner(host, "os"), inner(host, "cpu")];
  return { node, container, gpus, system: os["release"], processor: cpu["model"], processors: cpu["count"] };
}

function laterFacts(host: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return { libc: inner(host, "os")["libc"], cuda: host["cuda"], image: host["image"] };
}

function pick(
  document: Readonly<Record<string, unknown>>,
  ...names: readonly string[]
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(names.flatMap((name) => (name in document ? [[name, document[name]]] : [])));
}

function inner(document: Readonly<Record<string, unknown>>, name: string): Readonly<Record<string, unknown>> {
  const value = document[name];
  // What the planner writes there is an object.
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function between(
  part: EnvironmentDifference["part"],
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): readonly EnvironmentDifference[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted().flatMap((name) => {
    const [was, is] = [text(before[name]), text(after[name])];
    return was === is ? [] : [{ part, name, before: was, after: is }];
  });
}

function text(value: unknown): string | null {
  if (value === undefined) return null;
  return typeof value === "string" ? value : canonicalJson(value);
}
