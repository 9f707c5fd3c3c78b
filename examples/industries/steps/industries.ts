import { data, json } from "mlpipe";
import { z } from "zod";
import { Industry, Month } from "../month.ts";

export const industries = data("industries", {
  description: "Lists the industries that the data has",
  inputs: { months: json(z.array(Month)) },
  outputs: { list: z.array(Industry) },
  async run({ months }) {
    const names = [...new Set((await months.read()).map(({ series }) => series))];
    const list = names.map((name) => ({ name, id: name.toLowerCase().replaceAll(/[^a-z]+/g, "-") }));
    return { list };
  },
});
