import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fansAndChains, type Tool } from "../tool.ts";
import { packageCopy, writePackages } from "./packages.ts";

/**
 * Turborepo's native binary, without its npm wrapper. It starts every task by `npm run`, which takes
 * longer than the task: beyond 100 tasks a stand-in for npm makes the first run, and that is not measured.
 * @param standIns a folder for the stand-in
 */
export function turbo(program: string, standIns: string, path: string): Tool {
  mkdirSync(standIns, { recursive: true });
  const npm = join(standIns, "npm");
  writeFileSync(
    npm,
    "#!/bin/sh\nif [ -f in.txt ]; then exec cp in.txt out.txt; fi\nn=${PWD##*/p}\nexec cp ../p$((n-1))/out.txt out.txt\n",
  );
  chmodSync(npm, 0o755);
  const all = fansAndChains(1000);
  const run = [
    "run",
    "build",
    "--no-daemon",
    "--concurrency=2",
    "--output-logs=none",
    "--no-update-notifier",
  ];
  return {
    name: "turbo native",
    role: "rival",
    does: (workload) => all(workload).filter((measure) => measure !== "cold" || workload.size <= 100),
    checkable: true,
    place: (copy, i) => packageCopy(copy.from.startsWith("out/") ? "chain" : "fan", i),
    leaves: [".turbo", "packages/*/.turbo", "packages/*/out.txt", "node_modules/.cache"],
    env: { TURBO_TELEMETRY_DISABLED: "1", TURBO_NO_UPDATE_NOTIFIER: "1", DO_NOT_TRACK: "1" },
    prime: { PATH: `${standIns}${delimiter}${path}` },
    write(project, workload) {
      writePackages(project, workload, (name, command, before) => ({
        "package.json": {
          name,
          version: "1.0.0",
          scripts: { build: command },
          ...(before !== undefined && { dependencies: { [before]: "1.0.0" } }),
        },
      }));
      writeFileSync(
        join(project, "package.json"),
        JSON.stringify({
          name: "bench",
          private: true,
          packageManager: "npm@11.0.0",
          workspaces: ["packages/*"],
        }),
      );
      const build = {
        dependsOn: ["^build"],
        inputs: ["in.txt"],
        outputs: ["out.txt"],
      };
      writeFileSync(join(project, "turbo.json"), JSON.stringify({ tasks: { build } }));
      writeFileSync(join(project, ".gitignore"), "node_modules\n.turbo\nout.txt\n");
    },
    run: () => [program, ...run],
    plan: () => [program, "run", "build", "--no-daemon", "--dry=json"],
  };
}
