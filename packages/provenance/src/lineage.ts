/**
 * What made something, and what it reached, over an index of the records.
 *
 * Step run M feeds step run C if C took an artifact that M made: the same bytes of the same output of the same step.
 * It need not be the very execution that C names: what a hit reuses is made again by every execution with the same
 * bytes, and data that went into any of them is behind C. Bytes that C took from outside are tied to whoever had made
 * or deployed the same bytes before C began, and not just passed them on.
 */
import type { ArtifactPlace, LineageIndex, LineageLink, LineageStep } from "@mlpipe/store/lineage";

/** Step runs that hang together. */
export interface Lineage {
  readonly steps: ReadonlyMap<string, LineageStep>;
  /** What each of them took, made and deployed. */
  readonly links: ReadonlyMap<string, readonly LineageLink[]>;
}

/** The step runs that made or deployed these bytes, or passed them on. Oldest first. */
export function makersOf(index: LineageIndex, digest: string): readonly string[] {
  return idsOf(index.linksToBytes([digest]).filter(({ role }) => role !== "in"));
}

/** The step runs that took these bytes. Oldest first. */
export function takersOf(index: LineageIndex, digest: string): readonly string[] {
  return idsOf(index.linksToBytes([digest]).filter(({ role }) => role === "in"));
}

/** These step runs, and all that are behind what they took. */
export function traceFrom(index: LineageIndex, stepRuns: readonly string[]): Lineage {
  const origins = new OutsideEnds(index, makersBefore);
  const asked = new Set<string>();
  return closure(index, stepRuns, "all", ({ steps, links }) => {
    const taken = links.filter(({ role }) => role === "in");
    const places = taken.flatMap(({ artifact }) =>
      !isOutside(artifact) && isNew(asked, artifact) ? [artifact] : [],
    );
    const outside = taken
      .filter(({ artifact }) => isOutside(artifact))
      .map(({ artifact: { digest }, stepRun }) => ({
        digest,
        by: stepRun,
        at: steps.get(stepRun)?.startedAt ?? "",
      }));
    return [...index.stepRunsAt("out", places), ...origins.of(outside)];
  });
}

/** These step runs, and all that what they made has reached; with links to what they made alone. */
export function impactFrom(index: LineageIndex, stepRuns: readonly string[]): Lineage {
  const uses = new OutsideEnds(index, takersAfter);
  const asked = new Set<string>();
  return closure(index, stepRuns, "made", ({ steps, links }) => {
    const places = links.flatMap(({ role, artifact }) =>
      role === "out" && isNew(asked, artifact) ? [artifact] : [],
    );
    const outside = links.map(({ artifact: { digest }, stepRun }) => ({
      digest,
      by: stepRun,
      at: steps.get(stepRun)?.endedAt ?? "",
    }));
    return [...index.stepRunsAt("in", places), ...uses.of(outside)];
  });
}

/** Some step runs of a closure, with their links. */
interface Wave {
  readonly steps: ReadonlyMap<string, LineageStep>;
  readonly links: readonly LineageLink[];
}

/** In waves and not one by one: each wave asks the database a few times, however many step runs it has. */
function closure(
  index: LineageIndex,
  start: readonly string[],
  which: "all" | "made",
  next: (wave: Wave) => readonly string[],
): Lineage {
  const steps = new Map<string, LineageStep>();
  const links = new Map<string, LineageLink[]>();
  const seen = new Set<string>();
  for (let open = start; open.length > 0;) {
    for (const id of open) seen.add(id);
    const wave = { steps: index.steps(open), links: index.linksOf(open, which) };
    for (const [id, step] of wave.steps) {
      steps.set(id, step);
      links.set(id, []);
    }
    for (const link of wave.links) links.get(link.stepRun)?.push(link);
    open = [...new Set(next(wave))].filter((id) => !seen.has(id));
  }
  return { steps, links };
}

/** Step runs at one end of bytes that came from outside, each with the time that decides whether it is one. */
type Ends = readonly { readonly stepRun: string; readonly time: string }[];

interface Direction {
  /** The ends of several digests; those that have none are left out. */
  readonly find: (index: LineageIndex, digests: readonly string[]) => ReadonlyMap<string, Ends>;
  /** Whether what is true of step runs at the time `at` goes further than what has been answered already. */
  readonly isFurther: (at: string, answered: string) => boolean;
  readonly isEnd: (time: string, at: string) => boolean;
  /** Whether whoever asks may only have passed the bytes on. */
  readonly mayPassOn: boolean;
}

/** Whoever made or deployed bytes before they were taken from outside. */
const makersBefore: Direction = {
  find: (index, digests) => {
    const links = index.linksToBytes(digests);
    const passedOn = new Set(links.filter(({ role }) => role === "in").map(bytesKey));
    const made = links.filter((link) => link.role !== "in" && !passedOn.has(bytesKey(link)));
    return endsOf(index, made, "endedAt");
  },
  isFurther: (at, answered) => at > answered,
  isEnd: (time, at) => time <= at,
  mayPassOn: false,
};

/** Whoever took bytes from outside after they had been made. */
const takersAfter: Direction = {
  find: (index, digests) => {
    return endsOf(index, index.linksTakenOutside(digests), "startedAt");
  },
  isFurther: (at, answered) => at < answered,
  isEnd: (time, at) => time >= at,
  mayPassOn: true,
};

function endsOf(
  index: LineageIndex,
  links: readonly LineageLink[],
  time: "startedAt" | "endedAt",
): ReadonlyMap<string, Ends> {
  const steps = index.steps(idsOf(links));
  const ends = new Map<string, { stepRun: string; time: string }[]>();
  for (const { stepRun, artifact } of links) {
    const step = steps.get(stepRun);
    if (step === undefined) continue;
    const known = ends.get(artifact.digest);
    const end = { stepRun, time: step[time] };
    if (known === undefined) ends.set(artifact.digest, [end]);
    else known.push(end);
  }
  return ends;
}

/** Remembers what it was asked: the same bytes are met many times in a history. */
class OutsideEnds {
  readonly #index: LineageIndex;
  readonly #direction: Direction;
  readonly #ends = new Map<string, Ends>();
  readonly #answered = new Map<string, string>();

  constructor(index: LineageIndex, direction: Direction) {
    this.#index = index;
    this.#direction = direction;
  }

  of(
    asked: readonly { readonly digest: string; readonly by: string; readonly at: string }[],
  ): readonly string[] {
    const { find, isFurther, isEnd, mayPassOn } = this.#direction;
    const fresh = [...new Set(asked.map(({ digest }) => digest))].filter((digest) => !this.#ends.has(digest));
    const found = find(this.#index, fresh);
    for (const digest of fresh) this.#ends.set(digest, found.get(digest) ?? []);
    const open = asked.filter(({ digest }) => this.#ends.get(digest)?.length !== 0);
    const passed = mayPassOn && open.length > 0 ? this.#passedOn(open.map(({ by }) => by)) : undefined;
    return open.flatMap(({ digest, by, at }) => {
      if (passed?.has(`${by} ${digest}`) === true) return [];
      const answered = this.#answered.get(digest);
      if (answered !== undefined && !isFurther(at, answered)) return [];
      this.#answered.set(digest, at);
      return (this.#ends.get(digest) ?? [])
        .filter(({ time }) => isEnd(time, at))
        .map(({ stepRun }) => stepRun);
    });
  }

  #passedOn(stepRuns: readonly string[]): ReadonlySet<string> {
    const links = this.#index.linksOf([...new Set(stepRuns)], "all");
    return new Set(links.filter(({ role }) => role === "in").map(bytesKey));
  }
}

/** Whether bytes came from outside the pipeline. */
export function isOutside({ maker }: ArtifactPlace): boolean {
  return maker === "";
}

/** A place as a key of a map. */
export function placeKey({ digest, pipeline, maker, output }: ArtifactPlace): string {
  return [digest, pipeline, maker, output].join("\n");
}

function isNew(asked: Set<string>, artifact: ArtifactPlace): boolean {
  const key = placeKey(artifact);
  if (asked.has(key)) return false;
  asked.add(key);
  return true;
}

function bytesKey({ stepRun, artifact }: LineageLink): string {
  return `${stepRun} ${artifact.digest}`;
}

function idsOf(links: readonly LineageLink[]): readonly string[] {
  return [...new Set(links.map(({ stepRun }) => stepRun))].toSorted();
}

export { traceOf, type Trace, type TracedInput, type TracedStep } from "./trace.ts";
