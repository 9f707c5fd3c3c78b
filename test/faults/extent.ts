/** How much of a sweep is done: all of it with `MLPIPE_TEST_FAULTS=full` (`pnpm test:faults`), else a sample. */
export const isFull = process.env["MLPIPE_TEST_FAULTS"] === "full";

/** The longest that one sweep may take. */
export const sweepTimeoutMs = isFull ? 3_600_000 : 240_000;
