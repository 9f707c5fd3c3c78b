/**
 * How V8 treats the heap of mlpipe, and what it compiles, while a large pipeline is worked on.
 *
 * V8 doubles the young generation, up to 3 × 16 MiB, whenever much of it survives, and lets the old one grow to a
 * multiple of what was alive: made for servers, which win time with it. mlpipe does not: to plan 10,000 steps takes as
 * long with a young generation of 2 × 4 MiB, and 50 MiB less.
 *
 * Flags are told rather than given to Node, which is started by others; the sizes themselves cannot be told any more,
 * how they grow can. Code that V8 has cached belongs to its flags, and all of Node's own modules come with such a cache: so what
 * is loaded while they are set is loaded by `withNodesFlags`, they are taken back before caches are written, and left
 * alone for small pipelines.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Steps from which on the heap is worth the 2 ms that it takes: 100 steps take less without (98 MiB) than 1,000 with. */
const many = 500;

/**
 * Steps from which on planning leaves much room that execution would fill: to take it back takes as long as ten steps. With
 * 1,000 it is not worth that.
 */
const veryMany = 2_000;

/** Started steps from which on the run is no longer one in which little happens. */
const several = 20;

/** Started steps from which on more are likely to follow. */
const wellOnTheWay = 100;

let planned = 0;
let started = 0;

/** The flags that are set, and what takes each of them back. */
const held = new Map<string, string>();

/** Whether a pipeline has so many steps that what mlpipe takes of memory for it is looked after. */
export function hasMany(steps: number): boolean {
  return steps >= many;
}

/**
 * To be called while a pipeline is built, with the steps that it has so far. From hundreds of them on, the young generation
 * keeps the size it has by then: that of 10,000 steps would have grown to the full when the pipeline is built, and to look
 * through 4 MiB often takes no longer than through 16 now and then.
 *
 * It also keeps Turbofan, the last of V8's compilers, out of runs with hundreds of steps. To be there at all takes 5 MiB of
 * Node, and its threads more; the few functions that it would compile for a thousand steps take a tenth of the processor
 * time of planning them, and run no sooner for it. With thousands they do. While the pipeline is built, because its function
 * may be the first with a loop that is worth compiling.
 */
export function holdWhileBuilt(steps: number): void {
  if (steps === many) {
    holdYoung();
    hold("--no-turbofan", "--turbofan");
  } else if (steps === veryMany) letGo("--no-turbofan");
}

/**
 * To be called with the steps of a pipeline. With many, the young generation keeps the size it has until the process ends, and
 * the old one is not marked beside the work before several steps were started: a run in which little happens ends before it
 * is full.
 */
export function holdYoungGeneration(steps: number): void {
  if (planned > 0 || steps < many) return;
  planned = steps;
  holdYoung();
  hold("--no-incremental-marking", "--incremental-marking");
}

/**
 * To be called for each step that is started. Has the old generation collected when it has grown by 30 % and no longer by
 * a multiple: for the minutes in which steps are executed, each of which leaves some garbage there. Planning is over
 * before it would matter.
 *
 * How far the heap may grow is decided when it has been collected: while a pipeline is planned, up to four times of what
 * was alive at some moment of it, and the new rule would wait until that is used up. So a large one is collected once.
 */
export function holdOldGeneration(): void {
  if (planned === 0) return;
  started++;
  if (started === several) {
    letGo("--no-incremental-marking");
    hold("--heap-growing-percent=30", "--heap-growing-percent=0");
    // A small heap may grow by more than 30 % all the same, and what is collected of it is kept for later: with this it
    // grows by less, and gives its pages back. With thousands of steps it would be collected too often.
    if (planned < veryMany) hold("--optimize-for-size", "--no-optimize-for-size");
  }
  if (started === wellOnTheWay && planned >= veryMany) collect();
}

/**
 * To be called before the outcomes of all steps are put into one record, which takes as much memory as the garbage of a long
 * run. With that it would reach the size at which V8 begins to mark it beside the work, and for as long as it does the young
 * generation grows by all that is made. A run in which little happened leaves little.
 */
export function collectBeforeEnd(): void {
  if (planned > 0 && started >= wellOnTheWay) collect();
}

/**
 * Loads what else is needed with the flags of Node, so that what was cached of it is taken: Node's own modules take three times
 * as long without.
 *
 * @param load its promise is waited for
 */
export function withNodesFlags<Loaded>(load: () => Loaded): Loaded {
  if (held.size === 0) return load();
  // A young generation that is full while its size is not held is doubled for good.
  if (planned >= veryMany) collect("minor");
  takeBack();
  let loaded: Loaded | undefined;
  try {
    loaded = load();
    return loaded;
  } finally {
    if (loaded instanceof Promise) loaded.then(setAgain, setAgain);
    else setAgain();
  }
}

function holdYoung(): void {
  hold("--semi-space-growth-factor=1", "--semi-space-growth-factor=2");
}

function hold(flag: string, back: string): void {
  // Before those who write caches when the process ends.
  if (held.size === 0) process.prependOnceListener("exit", takeBack);
  held.set(flag, back);
  setFlagsFromString(flag);
}

function letGo(flag: string): void {
  const back = held.get(flag);
  if (back === undefined) return;
  held.delete(flag);
  setFlagsFromString(back);
}

function takeBack(): void {
  for (const back of held.values()) setFlagsFromString(back);
}

function setAgain(): void {
  for (const flag of held.keys()) setFlagsFromString(flag);
}

function collect(generations: "minor" | "major" = "major"): void {
  setFlagsFromString("--expose-gc");
  // A new context has what flags expose, the one that runs has been made without.
  const gc: unknown = runInNewContext("gc");
  setFlagsFromString("--no-expose-gc");
  if (typeof gc === "function") gc({ type: generations });
}
