/** Tomorrow's rain by the deployed model: `node predict.ts days.json`, with the last 14 days or more. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { Day } from "./day.ts";
import { featuresOf } from "./features.ts";
import { rainProbabilities } from "./forest.ts";

const [, , file = "days.json"] = process.argv;
const days = z.array(Day).parse(JSON.parse(readFileSync(file, "utf8")));
const last = Date.parse(days.at(-1)?.date ?? "");
const tomorrow = new Date(last + 24 * 60 * 60 * 1000).toISOString().slice(0, 10);

const model = readFileSync(new URL("deployed/current/model.json", import.meta.url), "utf8");
const [probability = NaN] = rainProbabilities(model, [featuresOf(tomorrow, days)]);
console.log(`${tomorrow}: ${Math.round(probability * 100)} % chance of rain`);
