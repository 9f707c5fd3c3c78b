/**
 * What is published of mlpipe: its packages in a few files. To find and read a hundred small
 * modules takes longer than a run in which nothing has to run.
 */
import { defineConfig } from "rolldown";

export default defineConfig({
  input: {
    index: "src/index.ts",
    "cli/main": "src/cli/main.ts",
    // Started as processes and threads of their own, by the name they have beside the code that starts them.
    "runner/main": "../executor/src/runner/main.ts",
    "hash-worker": "../store/src/hash-worker.ts",
  },
  platform: "node",
  resolve: { conditionNames: ["@mlpipe/source", "node", "import", "default"] },
  // What users install beside mlpipe; only mlpipe's own packages are taken in.
  external: (id) => !id.startsWith(".") && !id.startsWith("/") && !id.startsWith("@mlpipe/"),
  output: {
    dir: "dist",
    format: "esm",
    chunkFileNames: "[name].js",
    minify: false,
    comments: false,
  },
});
