/**
 * How V8 lets the heap of mlpipe grow while a large pipeline is worked on.
 *
 * V8 doubles the young generation, up to 3 × 16 MiB, whenever much of it survives, and lets the old one grow to a
 * multiple of what was alive: made for servers, which win time with it. mlpipe does not: to plan 10,000 steps takes as
 * long with a young generation of 2 × 4 MiB, and 50 MiB less.
 *
 * Flags are told rather than given to Node, which is started by others; the sizes themselves cannot be told any more,
 * how they grow can. Code that V8 has cached belongs to its flags: so they are set after what every run loads was loaded,
 * taken back before Node writes its cache, and left alone for small pipelines.
 */
import { setFlagsFromString } from "node:v8";

/** Steps from which on the heap is worth the 2 ms that it takes: 100 steps take less without (98 MiB) than 1,000 with. */
const many = 500;

let young = false;
let old = false;

/** Keeps the young generation at the size it has, if there are that many steps, until the process ends. */
export function holdYoungGeneration(steps: number): void {
  if (young || steps < many) return;
  young = true;
  setFlagsFromString("--semi-space-growth-factor=1");
  process.once("exit", () => {
    setFlagsFromString("--semi-space-growth-factor=2");
    setFlagsFromString("--heap-growing-percent=0");
  });
}

/**
 * Has the old generation collected when it has grown by 30 % and no longer by a multiple: for the minutes in which steps
 * are executed, each of which leaves some garbage there. Planning is over before it would matter.
 */
export function holdOldGeneration(): void {
  if (old || !young) return;
  old = true;
  setFlagsFromString("--heap-growing-percent=30");
}
