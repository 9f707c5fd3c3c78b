import { gate, model } from "mlpipe";
import { z } from "zod";
import { scores } from "../scores.ts";

export const beatsBaseline = gate("beats-baseline", {
  description: "Lets only a model pass that is clearly better than the naive forecast",
  inputs: { model: model("json"), metrics: scores, baseline: scores, margin: z.number() },
  pass: "model",
  check({ metrics, baseline, margin }) {
    const lead = metrics.auc - baseline.auc;
    return (
      lead >= margin ||
      `AUC ${metrics.auc.toFixed(3)} is ${lead.toFixed(3)} above the naive forecast's ${baseline.auc.toFixed(3)}, and the margin is ${margin}`
    );
  },
});
