/** The steps that words of a command line mean. */
import { anyItem, type Manifest, type ManifestStep, MlpipeError } from "@mlpipe/dsl";
import { upstreamOf } from "@mlpipe/planner";
import { nearest } from "../../project/nearest.ts";

/** Which of the steps. */
export interface Selection {
  readonly only?: readonly string[];
  readonly from?: readonly string[];
}

/**
 * The steps that words mean: ids, or the name before the brackets for all children of an `each`. A child of
 * a list that is not known yet (`fit[lr=0.1]` of `fit[*]`) is taken at its word.
 * @throws MlpipeError MLP2003 for a step that is not there
 */
export function stepsNamed(manifest: Manifest, words: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const word of words.flatMap((each) => each.split(/,(?![^[]*\])/))) {
    const matches = manifest.steps.filter(({ id }) => id === word || id.startsWith(`${word}[`));
    if (matches.length === 0 && manifest.steps.some((step) => mayBecome(step, word))) {
      found.add(word);
      continue;
    }
    if (matches.length === 0) {
      const ids = manifest.steps.map(({ id }) => id);
      const similar = nearest(word, ids);
      throw new MlpipeError("MLP2003", `The pipeline "${manifest.pipeline}" has no step "${word}".`, {
        hint:
          similar === undefined
            ? `Its steps: ${ids.slice(0, 12).join(", ")}${ids.length > 12 ? ", …" : ""}.`
            : `Did you mean ${similar}?`,
      });
    }
    for (const { id } of matches) found.add(id);
  }
  return found;
}

/**
 * What to say of words that named a child of a list that nobody knew yet, and that the list then did not have.
 *
 * @param made the manifest with the children that the run made
 * @param said what each of the options was given
 */
export function namedInVain(
  made: Manifest,
  said: readonly (true | readonly string[] | undefined)[],
): readonly string[] {
  const words = said.flatMap((given) => (given === undefined || given === true ? [] : given));
  return words.flatMap((word) => {
    try {
      if (isShare(word)) return [];
      stepsNamed(made, [word]);
      return [];
    } catch (error) {
      if (!(error instanceof MlpipeError)) throw error;
      return [`${error.message} ${error.hint ?? ""}`.trim()];
    }
  });
}

/**
 * Makes sure that steps take from the pools whose sizes `--pool` gives: a misspelt name would limit nothing.
 * @throws MlpipeError MLP6010
 */
export function checkPools(manifest: Manifest, given: readonly string[]): void {
  const taken = manifest.steps.flatMap(({ scheduling: { resources = {}, escalation = [] } }) =>
    [resources, ...escalation].flatMap((amounts) => Object.keys(amounts)),
  );
  const pools = [...new Set(["cpu", "memory", "gpu", ...taken])];
  for (const pool of given) {
    if (pools.includes(pool)) continue;
    const similar = nearest(pool, pools);
    throw new MlpipeError("MLP6010", `--pool ${pool}: no step takes from a pool of this name.`, {
      hint: similar === undefined ? `There are: ${pools.join(", ")}.` : `Did you mean ${similar}?`,
    });
  }
}

/** The steps that `--only` and `--from` select; nothing if neither is given. */
export function selectedSteps(
  manifest: Manifest,
  { only, from }: Selection,
): ReadonlySet<string> | undefined {
  if (only === undefined && from === undefined) return undefined;
  const selected = new Set(only === undefined ? [] : stepsNamed(manifest, only));
  const reached = new Set(from === undefined ? [] : stepsNamed(manifest, from));
  const steps = new Map(manifest.steps.map((step) => [step.id, step]));
  // Steps stand after those they need, so one walk finds everything downstream.
  for (const step of manifest.steps) {
    for (const need of upstreamOf(step)) {
      if (reached.has(need)) reached.add(step.id);
      const upstream = steps.get(need);
      if (upstream?.each === undefined) continue;
      // Of children that were named, what follows in the same child, or what joins them.
      for (const child of [...reached].filter((id) => mayBecome(upstream, id)))
        reached.add(followerOf(step, upstream, child));
    }
  }
  return selected.union(reached);
}

/** The steps to be forced, as the planner takes them. */
export function forced(
  manifest: Manifest,
  force: true | readonly string[] | undefined,
): ReadonlySet<string> | "all" {
  if (force === undefined) return new Set();
  return force === true ? "all" : stepsNamed(manifest, force);
}

/** The steps that `--check` compares with what is kept of them; nothing if it was not given. */
export function checkedSteps(
  manifest: Manifest,
  check: true | readonly string[] | undefined,
): ReadonlySet<string> | undefined {
  if (check === undefined) return undefined;
  // A step that says how long its result holds may well make another one.
  const lasting = manifest.steps.filter(({ kind, cache }) => kind !== "deploy" && cache.mode === "keyed");
  const ids = lasting.map(({ id }) => id);
  if (check === true) return new Set(ids);
  const [share] = check;
  if (share === undefined || !isShare(share)) return stepsNamed(manifest, check);
  // Another sample each time: over the runs every step has its turn. At least one, or nothing would be proved.
  const shuffled = ids.map((id) => ({ id, at: Math.random() })).toSorted((a, b) => a.at - b.at);
  const amount = Math.max(1, Math.ceil((ids.length * Math.min(100, Number.parseFloat(share))) / 100));
  return new Set(shuffled.slice(0, amount).map(({ id }) => id));
}

/** Whether a word is a part of all steps, such as `10%`. */
function isShare(word: string): boolean {
  return /^\d+(?:\.\d+)?%$/.test(word);
}

/** Whether a step that stands for all items may turn out to have this id, or stand in a child that has it. */
function mayBecome({ id, each }: ManifestStep, word: string): boolean {
  if (each === undefined) return false;
  const [parts, given] = [partsOf(id), partsOf(word)];
  return (
    given.length > 1 &&
    given.length <= parts.length &&
    given.every((part, index) => part === parts[index] || (parts[index] === anyItem && part !== anyItem))
  );
}

/** The id of a step that follows a child: in the bodies that both are in, it has the child's keys. */
function followerOf(step: ManifestStep, upstream: ManifestStep, child: string): string {
  const shared = new Set(step.each?.filter((each) => upstream.each?.includes(each)));
  if (shared.size === 0) return step.id;
  const keys = partsOf(child);
  let open = 0;
  return partsOf(step.id)
    .map((part, index) => (part === anyItem && open++ < shared.size ? (keys[index] ?? part) : part))
    .join("");
}

/** `fit[a][*]` as `fit`, `[a]`, `[*]`. */
function partsOf(id: string): readonly string[] {
  return id.match(/^[^[]+|\[[^\]]*\]/g) ?? [];
}
