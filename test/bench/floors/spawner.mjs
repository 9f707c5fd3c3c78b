// A bare spawner: runs commands two at a time. With "durable" it also captures what they print and makes what
// they wrote outlast a power cut, which is what mlpipe promises of a result.
import { spawn } from "node:child_process";
import { closeSync, fsyncSync, openSync, readFileSync } from "node:fs";

const durable = process.argv[2] === "durable";
const commands = JSON.parse(readFileSync("commands.json", "utf8"));
let next = 0;

function run({ from, to }) {
  return new Promise((resolve, reject) => {
    const child = spawn("cp", [from, to], { stdio: durable ? ["ignore", "pipe", "pipe"] : "ignore" });
    let said = "";
    child.stdout?.on("data", (chunk) => (said += chunk));
    child.stderr?.on("data", (chunk) => (said += chunk));
    child.once("error", reject);
    child.once("close", (code) => {
      if (code !== 0) {
        reject(new Error(said));
        return;
      }
      if (durable) {
        const file = openSync(to, "r");
        fsyncSync(file);
        closeSync(file);
      }
      resolve();
    });
  });
}

async function work() {
  for (let command = commands[next++]; command !== undefined; command = commands[next++]) await run(command);
}
await Promise.all([work(), work()]);
