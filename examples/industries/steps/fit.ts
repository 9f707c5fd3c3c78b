import { csv, model, seed, train } from "mlpipe";
import { Rate } from "../month.ts";
import { pairs } from "../pairs.ts";

export const fit = train("fit", {
  description: "Least squares: a month's rate from that of a year before",
  // Nothing is drawn; the port says that the step has nothing to hide.
  inputs: { past: csv(Rate), seed: seed() },
  outputs: { model: model("json") },
  async run({ past }, out) {
    const points = pairs(await past.all());
    const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
    const [x, y] = [mean(points.map(({ now }) => now)), mean(points.map(({ later }) => later))];
    const spread = mean(points.map(({ now }) => (now - x) ** 2));
    const slope = mean(points.map(({ now, later }) => (now - x) * (later - y))) / spread;
    await out.model.write(JSON.stringify({ intercept: y - slope * x, slope }));
  },
});
