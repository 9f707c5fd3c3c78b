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
    }
  | { readonly type: "stop"; readonly how: "gently" | "now" }
  /** About none: nothing more is to come. */
  | { readonly type: "close" };

/** From the supervisor. */
export type Report =
  /** About none: the run's lock is held, processes may be started. */
  | { readonly type: "ready" }
  /** About none: the lock cannot be taken. */
  | { readonly type: "locked"; readonly message: string | null }
  | { readonly type: "ended"; readonly ended: Ended };
