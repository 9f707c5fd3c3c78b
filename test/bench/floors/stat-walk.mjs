// Looks at every file below a folder, and reads none.
import { readdirSync, statSync } from "node:fs";

let bytes = 0;
const folders = ["data/tree"];
for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) folders.push(path);
    else bytes += statSync(path).size;
  }
}
console.log(bytes);
