import { copyFileSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { MlpipeError } from "@mlpipe/dsl";
import { packageFile } from "../../package-files.ts";
import { asArgument } from "../format.ts";
import { print, printJson } from "../output.ts";
import { refuseBelowFile } from "../output-place.ts";
import { styleFor } from "../style.ts";
import { completeProject } from "./complete-project.ts";

export interface InitOptions {
  readonly python?: true;
  /** A `dvc.yaml` or a folder; `true` for the folder's own. */
  readonly fromDvc?: string | true;
  readonly json?: true;
}

/** Files that a project may have already; they are left as they are. */
const kept = new Set(["package.json", "tsconfig.json", ".gitignore"]);

/** `mlpipe init`: a new project that runs at once. */
export function init(given: string | undefined, options: InitOptions): number {
  const folder = resolve(given ?? ".");
  refuseBelowFile(join(folder, "package.json"));
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
  const project = completeProject(folder, ["mlpipe", "zod"]);
  made.push(...project.made);
  if (options.json === true) {
    printJson({ schemaVersion: 1, folder, files: made.toSorted(), ready: project.isReady });
    return 0;
  }
  const style = styleFor(process.stdout);
  for (const name of made.toSorted()) print(`  ${style("good", "+")} ${name}`);
  const enter = given === undefined ? [] : [`cd ${asArgument(given)}`];
  print(`\nNext:  ${[...enter, ...project.next, "npx mlpipe run"].join(" && ")}`);
  if (project.typing !== undefined) print(`For the compiler and the editor:  ${project.typing}`);
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
