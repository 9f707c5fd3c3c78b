import { csv, model, seed, train } from "mlpipe";
import { z } from "zod";
import { Example } from "../example.ts";
import { growForest } from "../forest.ts";

export const fit = train("fit", {
  description: "Trains a random forest",
  inputs: { examples: csv(Example), trees: z.int().positive(), depth: z.int().positive(), seed: seed() },
  outputs: { model: model("json") },
  async run({ examples, ...options }, out) {
    await out.model.write(growForest(await examples.all(), options));
  },
});
