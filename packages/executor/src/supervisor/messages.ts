/** What mlpipe and its supervisor say to each other. */
import type { Ended } from "../engine.ts";

/** To the supervisor, about the process with the number of the frame. */
export type Request =
  | {
      readonly type: "start";
      readonly argv: readonly string[];
      readonly cwd: string;
      readonly env: Readonly<Record<string, string>>;
      readonly timeoutMs?: number | undefined;
      /** When it has ended well, the first in line begins. */
      readonly handsOver: boolean;
      /** It has not ended well if one of these is not there, relative to `cwd`. */
      readonly leaves: readonly string[];
      /** It is last in line. */
      readonly waits: boolean;
    }
  /** One in line has a place; nothing if it has begun meanwhile. */
  | { readonly type: "begin"; /** How many were told to have ended so far. */ readonly known: number }
  /** One in line is not to begin; nothing if it has begun meanwhile. */
  | { readonly type: "withdraw" }
  | { readonly type: "stop"; readonly how: "gently" | "now" }
  /** About none: nothing more is to come. */
  | { readonly type: "close" };

/** From the supervisor. */
export type Report =
  /** About none: the run's lock is held, processes may be started. */
  | { readonly type: "ready" }
  /** About none: the lock cannot be taken. */
  | { readonly type: "locked"; readonly message: string | null }
  | {
      readonly type: "ended";
      readonly ended: Ended;
      /** The one in line that has begun in its place, and when, in ms since 1970. */
      readonly next?: { readonly process: number; readonly at: number };
    };
