import { stepRunOf } from "@mlpipe/provenance";
import { impactFrom, type Lineage, takersOf } from "@mlpipe/provenance/lineage";
import { isDigest, type Store } from "@mlpipe/store";
import { type LineageIndex, type LineageLink, type LineageStep, openLineage } from "@mlpipe/store/lineage";
import { count, localTime, shortId } from "../format.ts";
import { columns, print, printJson } from "../output.ts";
import { styleFor, type Style } from "../style.ts";
import { lookOf } from "./runs.ts";
import { openRecords } from "./session.ts";
import { subjectOf, unknown, type Subject } from "./subject.ts";

/** `mlpipe impact`: what something reached: steps, models, deployments. Executes no code of the project. */
export function impact(word: string, options: { readonly json?: true }): number {
  const { store, project } = openRecords();
  using index = openLineage(store.root);
  try {
    const subject = subjectOf(word, store, index);
    const takers = takersFor(index, subject);
    if (takers.length === 0 && index.linksToBytes([subject.digest]).length === 0) throw unknown(subject.name);
    const lineage = impactFrom(index, takers);
    const reached = reachedBy(lineage, subject, takers, { store, index, root: project.root });
    if (options.json === true) printJson(asJson(lineage, subject, takers, reached));
    else for (const line of linesOf(lineage, subject, reached, styleFor(process.stdout))) print(line);
    return 0;
  } finally {
    store.close();
  }
}

/** Who took the bytes; of an output of a run, who took it from there. */
function takersFor(index: LineageIndex, { digest, made }: Subject): readonly string[] {
  if (made === undefined) return takersOf(index, digest);
  const outside = { digest, pipeline: "", maker: "", output: "" };
  return index.stepRunsAt("in", [made.place, outside]).toSorted();
}

/** A model, by its bytes. */
interface Model {
  readonly digest: string;
  readonly name: string;
  /** The first step run that made it. */
  readonly by: LineageStep;
}

interface Deployment {
  readonly by: LineageStep;
  readonly target: string;
  readonly digest: string;
  /** Whether it is the last thing that was deployed there. */
  readonly isCurrent: boolean;
}

interface Reached {
  /** When the bytes were first taken. What was made before is tied to them by bytes between that came out the same. */
  readonly since: string;
  readonly models: readonly Model[];
  readonly deployments: readonly Deployment[];
}

function reachedBy(
  { steps, links }: Lineage,
  { digest }: Subject,
  takers: readonly string[],
  { store, index, root }: { readonly store: Store; readonly index: LineageIndex; readonly root: string },
): Reached {
  const models = new Map<string, Model>();
  const deployments: Deployment[] = [];
  const modelPorts = new ModelPorts(store);
  // The bytes that are asked about may be a model themselves, that others took.
  const makers = index.linksToBytes([digest]).filter(({ role }) => role === "out");
  const own = index.steps(makers.map(({ stepRun }) => stepRun));
  const made = makers.flatMap((link): readonly (readonly [LineageStep, LineageLink])[] => {
    const step = own.get(link.stepRun);
    return step === undefined ? [] : [[step, link]];
  });
  const all = [...steps.values()].flatMap((step) =>
    (links.get(step.id) ?? []).map((link): readonly [LineageStep, LineageLink] => [step, link]),
  );
  for (const [step, { role, port, artifact }] of [...made, ...all]) {
    if (role === "target") {
      const receipt = store.receipts.get(port.startsWith("/") ? port : `${root}/${port}`);
      deployments.push({
        by: step,
        target: port,
        digest: artifact.digest,
        isCurrent: receipt?.stepRun === step.id,
      });
    } else if (role === "out" && step.kind === "train" && modelPorts.has(step, port)) {
      const before = models.get(artifact.digest);
      if (before !== undefined && before.by.id <= step.id) continue;
      models.set(artifact.digest, { digest: artifact.digest, name: `${step.step}.${port}`, by: step });
    }
  }
  const byAge = (a: { readonly by: LineageStep }, b: { readonly by: LineageStep }): number =>
    a.by.id < b.by.id ? -1 : 1;
  const since = takers.map((id) => steps.get(id)?.startedAt ?? "").toSorted()[0] ?? "";
  return { since, models: [...models.values()].toSorted(byAge), deployments: deployments.toSorted(byAge) };
}

/** Which outputs of training steps are models, as the contract of one execution of each says. */
class ModelPorts {
  readonly #store: Store;
  readonly #ports = new Map<string, ReadonlySet<string>>();

  constructor(store: Store) {
    this.#store = store;
  }

  has({ id, pipeline, step }: LineageStep, port: string): boolean {
    // Children of a list have one contract.
    const name = `${pipeline}\n${step.replace(/\[.*$/, "")}`;
    let ports = this.#ports.get(name);
    if (ports === undefined) {
      ports = this.#read(id);
      this.#ports.set(name, ports);
    }
    return ports.has(port);
  }

  #read(id: string): ReadonlySet<string> {
    const row = this.#store.runs.stepRun(id);
    const record = row === undefined ? undefined : stepRunOf(row);
    const digest = record?.keyParts["contract"];
    // Written by the planner; only its outputs' kinds are looked at.
    const contract = (
      digest !== undefined && isDigest(digest) ? this.#store.parts.get(digest) : undefined
    ) as { readonly outputs?: Readonly<Record<string, { readonly kind?: string }>> } | undefined;
    const kinds = Object.entries(contract?.outputs ?? {});
    const models = kinds.filter(([, { kind }]) => kind === "model" || kind === "onnx");
    // A training step whose outputs are plain files or folders makes its model there.
    const files = kinds.filter(([, { kind }]) => kind === "file" || kind === "dir");
    const found = models.length > 0 ? models : files;
    return new Set(kinds.length === 0 ? Object.keys(record?.outputs ?? {}) : found.map(([name]) => name));
  }
}

function asJson(
  { steps, links }: Lineage,
  subject: Subject,
  takers: readonly string[],
  { since, models, deployments }: Reached,
): Record<string, unknown> {
  return {
    schemaVersion: 1,
    subject: { name: subject.name, digest: subject.digest },
    takenBy: takers,
    stepRuns: [...steps.values()].toSorted(byId).map(({ id, ...step }) => ({
      stepRun: id,
      ...step,
      outputs: Object.fromEntries(
        (links.get(id) ?? [])
          .filter(({ role }) => role === "out")
          .map(({ port, artifact }) => [port, artifact.digest]),
      ),
    })),
    models: models.map(({ digest, name, by }) => ({
      digest,
      name,
      stepRun: by.id,
      run: by.run,
      pipeline: by.pipeline,
      at: by.endedAt,
      earlier: by.startedAt < since,
    })),
    deployments: deployments.map(({ by, target, digest, isCurrent }) => ({
      target,
      digest,
      current: isCurrent,
      stepRun: by.id,
      run: by.run,
      pipeline: by.pipeline,
      at: by.endedAt,
      earlier: by.startedAt < since,
    })),
  };
}

function byId(a: LineageStep, b: LineageStep): number {
  return a.id < b.id ? -1 : 1;
}

/** The most rows of a section that are shown; the newest are. */
const mostRows = 30;

function linesOf(
  { steps }: Lineage,
  { name, digest }: Subject,
  { since, models, deployments }: Reached,
  style: Style,
): readonly string[] {
  const head = `${style("strong", name)}  ${style("quiet", digest.slice(0, 12))}`;
  const groups = new Map<string, LineageStep[]>();
  for (const step of [...steps.values()].toSorted(byId)) {
    const key = `${step.pipeline}\n${step.step}`;
    groups.set(key, [...(groups.get(key) ?? []), step]);
  }
  const earlier = ({ startedAt }: LineageStep): string =>
    startedAt < since ? style("quiet", "older than this: what lies between came out the same") : "";
  if (steps.size === 0) return [head, "It reached nothing: no step run that is recorded here took it."];
  const stepRows = [...groups.values()].map((group) => {
    const last = group.at(-1);
    if (last === undefined) return [];
    return [
      `  ${last.step}`,
      style("quiet", `${last.kind} of ${last.pipeline}`),
      count(group.length, "execution"),
      `last ${localTime(last.startedAt)}`,
      style(lookOf(last.status), last.status),
    ];
  });
  const modelRows = models.map(({ digest: of, name: port, by }) => [
    `  ${port}`,
    style("quiet", of.slice(0, 12)),
    localTime(by.endedAt),
    style("quiet", `run ${shortId(by.run)}`),
    earlier(by),
  ]);
  const deploymentRows = deployments.map(({ by, target, isCurrent }) => [
    `  ${target}`,
    `by ${by.step}`,
    localTime(by.endedAt),
    style("quiet", `run ${shortId(by.run)}`),
    isCurrent ? style("warning", "the latest there") : style("quiet", "replaced since"),
    earlier(by),
  ]);
  return [
    head,
    ...section("steps", stepRows),
    ...section("models", modelRows),
    ...section("deployments", deploymentRows),
  ];

  function section(title: string, rows: readonly (readonly string[])[]): readonly string[] {
    const hidden = rows.length - mostRows;
    return [
      "",
      style("strong", title),
      ...(rows.length === 0 ? [style("quiet", "  none")] : []),
      ...(hidden > 0 ? [style("quiet", `  ${hidden} earlier ones; --json has them`)] : []),
      ...columns(rows.slice(-mostRows)),
    ];
  }
}
