import { csv, data } from "mlpipe";
import { z } from "zod";
import { Example } from "../example.ts";
import { splitByDate } from "../split-by-date.ts";

export const split = data("split", {
  description: "Keeps the last days unseen, to judge by",
  inputs: { examples: csv(Example), testFrom: z.iso.date() },
  outputs: { train: csv(Example), test: csv(Example) },
  async run({ examples, testFrom }, out) {
    const { train, test } = splitByDate(await examples.all(), testFrom);
    await out.train.write(train);
    await out.test.write(test);
  },
});
