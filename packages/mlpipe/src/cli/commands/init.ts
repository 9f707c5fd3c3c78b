import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, relative, resolve } from "node:path";
import { MlpipeError } from "@mlpipe/dsl";
import { packageFile, version } from "../../package-files.ts";
import { print, printJson } from "../output.ts";
import { styleFor } from "../style.ts";

export interface InitOptions {
  readonly python?: true;
  readonly json?: true;
}

/** Files that a project may have already; they are left as they are. */
const kept = new Set(["package.json", "tsconfig.json", ".gitignore"]);

/** `mlpipe init`: a new project that runs at once. */
export function init(given: string | undefined, options: InitOptions): number {
  const folder = resolve(given ?? ".");
  const templates = packageFile("templates");
  const files = new Map([
    ...filesOf(join(templates, "common")),
    ...filesOf(join(templates, options.python === true ? "python" : "typescript")),
  ]);
  const taken = [...files.keys()].filter((name) => !kept.has(name) && existsSync(join(folder, name)));
  if (taken.length > 0) {
    throw new MlpipeError(
      "MLP6015",
      `${relative(process.cwd(), folder) || "This folder"} has ${taken.join(", ")} already.`,
      {
        hint: "Nothing was written. Name a new folder: mlpipe init my-project",
      },
    );
  }
  const made: string[] = [];
  for (const [name, source] of files) {
    const target = join(folder, name);
    if (existsSync(target)) continue;
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(source, target);
    made.push(name);
  }
  if (!existsSync(join(folder, "package.json"))) {
    writeFileSync(
      join(folder, "package.json"),
      `${JSON.stringify(packageJson(basename(folder)), null, 2)}\n`,
    );
    made.push("package.json");
  }
  const ready = canRun(folder);
  const isModule = moduleType(folder) === "module";
  if (options.json === true) {
    printJson({ schemaVersion: 1, folder, files: made.toSorted(), ready: ready && isModule });
    return 0;
  }
  const style = styleFor(process.stdout);
  for (const name of made.toSorted()) print(`  ${style("good", "+")} ${name}`);
  const enter = given === undefined ? [] : [`cd ${given}`];
  const install = ready ? [] : [made.includes("package.json") ? "npm install" : "npm install mlpipe zod"];
  // Somebody else's package.json is not changed behind their back.
  const type = isModule ? [] : ["npm pkg set type=module"];
  print(`\nNext:  ${[...enter, ...type, ...install, "npx mlpipe run"].join(" && ")}`);
  return 0;
}

function filesOf(template: string): readonly (readonly [string, string])[] {
  return readdirSync(template, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      // npm leaves out files called .gitignore when it packs.
      return [relative(template, path).replace(/^_gitignore$/, ".gitignore"), path] as const;
    })
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function packageJson(name: string): Record<string, unknown> {
  return {
    name:
      name
        .toLowerCase()
        .replaceAll(/[^a-z0-9._-]+/g, "-")
        .replace(/^[._-]+/, "") || "homes",
    private: true,
    type: "module",
    scripts: { start: "mlpipe run" },
    dependencies: { mlpipe: `^${version()}`, zod: "^4.0.0" },
    devDependencies: { "@types/node": "^24.0.0", typescript: "^5.9.0 || ^6.0.0 || ^7.0.0" },
    engines: { node: ">=24.15" },
  };
}

/** What Node takes the project's files for. */
function moduleType(folder: string): unknown {
  const document: unknown = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return typeof document === "object" && document !== null ? Reflect.get(document, "type") : undefined;
}

/** Whether what the pipeline imports is installed already. */
function canRun(folder: string): boolean {
  const require = createRequire(join(folder, "package.json"));
  return ["mlpipe", "zod"].every((name) =>
    (require.resolve.paths(name) ?? []).some((path) => existsSync(join(path, name, "package.json"))),
  );
}
