import { csv, evaluate, many, metrics } from "mlpipe";
import { z } from "zod";

export const compare = evaluate("compare", {
  description: "All industries side by side",
  inputs: { scores: many(metrics({ mae: "min", naive: "min" })) },
  outputs: {
    table: csv(z.object({ industry: z.string(), mae: z.number(), naive: z.number() })),
    metrics: metrics({ better: "max", of: "max" }),
  },
  async run({ scores }, out) {
    const rows = Array.from(scores, ([industry, { mae, naive }]) => ({ industry, mae, naive }));
    await out.table.write(rows);
    return { metrics: { better: rows.filter(({ mae, naive }) => mae < naive).length, of: rows.length } };
  },
});
