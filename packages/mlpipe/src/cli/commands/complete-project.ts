/** What a folder needs to be a project whose pipeline runs, beside the pipeline itself. */
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { packageFile, version } from "../../package-files.ts";

/** What was there, and what was made. */
export interface CompletedProject {
  /** Names of the files that were made. */
  readonly made: readonly string[];
  /** Whether the pipeline can run as it is. */
  readonly isReady: boolean;
  /** The commands that are left to the user. */
  readonly next: readonly string[];
  /** What the compiler and editors want, if it is not installed and `next` does not install it. */
  readonly typing: string | undefined;
}

const versions: Readonly<Record<string, string>> = { zod: "^4.0.0", yaml: "^2.8.0" };

/** What `tsconfig.json` is for, and names. */
const typing = ["typescript", "@types/node"];

/**
 * Makes `package.json`, `tsconfig.json` and `.gitignore` where there are none; what is there is left as it is.
 *
 * @param packages what the pipeline imports
 */
export function completeProject(folder: string, packages: readonly string[]): CompletedProject {
  const made: string[] = [];
  for (const [name, source] of [
    ["tsconfig.json", "tsconfig.json"],
    // npm leaves out files called .gitignore when it packs.
    [".gitignore", "_gitignore"],
  ] as const) {
    if (existsSync(join(folder, name))) continue;
    copyFileSync(packageFile(`templates/common/${source}`), join(folder, name));
    made.push(name);
  }
  const isNew = !existsSync(join(folder, "package.json"));
  if (isNew) {
    const document = packageJson(basename(folder), packages);
    writeFileSync(join(folder, "package.json"), `${JSON.stringify(document, null, 2)}\n`);
    made.push("package.json");
  }
  const isModule = moduleType(folder) === "module";
  const isInstalled = areInstalled(folder, packages);
  // Somebody else's package.json is not changed behind their back.
  const type = isModule ? [] : ["npm pkg set type=module"];
  const install = isInstalled ? [] : [isNew ? "npm install" : `npm install ${packages.join(" ")}`];
  const isTyped = (isNew && !isInstalled) || areInstalled(folder, typing);
  return {
    made,
    isReady: isModule && isInstalled,
    next: [...type, ...install],
    typing: isTyped ? undefined : `npm i -D ${typing.join(" ")}`,
  };
}

function packageJson(name: string, packages: readonly string[]): Record<string, unknown> {
  return {
    name:
      name
        .toLowerCase()
        .replaceAll(/[^a-z0-9._-]+/g, "-")
        .replace(/^[._-]+/, "") || "homes",
    private: true,
    type: "module",
    scripts: { start: "mlpipe run" },
    dependencies: Object.fromEntries(packages.map((each) => [each, versions[each] ?? `^${version()}`])),
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
function areInstalled(folder: string, packages: readonly string[]): boolean {
  const require = createRequire(join(folder, "package.json"));
  return packages.every((name) =>
    (require.resolve.paths(name) ?? []).some((path) => existsSync(join(path, name, "package.json"))),
  );
}
