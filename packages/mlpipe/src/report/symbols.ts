/** How the states of a step look. */
import type { StepStatus } from "@mlpipe/executor";
import type { Look } from "../cli/style.ts";

/** A symbol of one column and its look; the word always stands beside it, so colour alone says nothing. */
export interface Symbol {
  readonly symbol: string;
  readonly look: Look;
}

export const symbols: Readonly<Record<StepStatus | "running" | "pending", Symbol>> = {
  ran: { symbol: "✓", look: "good" },
  cached: { symbol: "=", look: "good" },
  failed: { symbol: "✗", look: "bad" },
  rejected: { symbol: "✗", look: "bad" },
  blocked: { symbol: "⊘", look: "warning" },
  waiting: { symbol: "…", look: "warning" },
  cancelled: { symbol: "⊘", look: "warning" },
  skipped: { symbol: "-", look: "quiet" },
  running: { symbol: "▸", look: "name" },
  pending: { symbol: "·", look: "quiet" },
};
