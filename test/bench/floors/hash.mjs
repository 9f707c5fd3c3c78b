// Digests of large files on one core: each is read whole and hashed in one go. Prints the seconds of hashing alone.
import { hash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";

const block = Buffer.allocUnsafe(64 * 1024 * 1024);
let seconds = 0;
for (const path of process.argv.slice(2)) {
  const file = openSync(path, "r");
  for (let read = readSync(file, block); read > 0; read = readSync(file, block)) {
    const started = performance.now();
    hash("sha256", block.subarray(0, read));
    seconds += (performance.now() - started) / 1000;
  }
  closeSync(file);
}
console.log(seconds.toFixed(3));
