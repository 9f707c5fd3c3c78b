/** What is done to a store by hand or in need, apart from what runs use: none of this is loaded on their way. */
export { annotate, annotationsIn, type Annotation, type Annotations } from "./annotations.ts";
export { healDatabase, type Healed } from "./heal.ts";
export { isWhole, verifyStore, type Finding, type Verified } from "./verify.ts";
export { collectGarbage, type Collected, type CollectOptions } from "./gc.ts";
export { tombstoneOf, type Tombstone } from "./tombstones.ts";
