// A bare planner: what any that runs on Node must at least do to find that nothing has to run.
import { readFileSync, statSync } from "node:fs";

const { steps } = JSON.parse(readFileSync("manifest.json", "utf8"));
const index = JSON.parse(readFileSync("index.json", "utf8"));
let kept = 0;
for (const { id, input } of steps) {
  const { size, mtimeMs } = statSync(input);
  const known = index[input];
  if (known !== undefined && known.size === size && known.mtimeMs === mtimeMs && known.step === id) kept++;
}
console.log(`${kept} of ${steps.length}`);
