import type { Site } from "@mlpipe/dsl";
import type { Digest } from "@mlpipe/store";

/** Something about a step's code that the user should know. */
export interface Finding {
  readonly message: string;
  /** Where, with an absolute path. */
  readonly site?: Site;
  /** What to do. */
  readonly hint?: string;
}

/** What a step's code is, in parts that a reason can name. */
export interface CodeIdentity {
  /** Digest by project-relative path. */
  readonly parts: Readonly<Record<string, Digest>>;
  /** Version by name of each installed package reached: `2.1.1+<16 digits of the digest of what is installed>`. */
  readonly packages: Readonly<Record<string, string>>;
  /** Absolute paths of modules and data that are loaded and have no part of their own; parts are named by their files. */
  readonly files?: readonly string[];
  /** Real folders of the packages that are reached directly; what these depend on is found from there. */
  readonly packageFolders?: readonly string[];
  /** Why this code cannot be keyed; empty if it can. */
  readonly uncacheable: readonly Finding[];
  readonly warnings: readonly Finding[];
}
