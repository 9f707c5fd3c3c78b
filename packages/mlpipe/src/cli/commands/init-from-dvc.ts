import { copyFileSync, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { MlpipeError } from "@mlpipe/dsl";
import { importDvc } from "../../import-dvc/import-dvc.ts";
import type { Remark } from "../../import-dvc/remark.ts";
import { packageFile } from "../../package-files.ts";
import { asArgument } from "../format.ts";
import { print, printJson } from "../output.ts";
import { styleFor } from "../style.ts";
import { completeProject } from "./complete-project.ts";
import type { InitOptions } from "./init.ts";

/**
 * `mlpipe init --from-dvc`: a pipeline made of a DVC project, beside what is there.
 *
 * @throws MlpipeError MLP6015 for a file that would be written over, MLP6201 to MLP6204
 */
export async function initFromDvc(given: string | undefined, options: InitOptions): Promise<number> {
  const named = typeof options.fromDvc === "string" ? resolve(options.fromDvc) : undefined;
  const root = given === undefined ? rootOf(named ?? resolve(".")) : resolve(given);
  const imported = await importDvc(root, named ?? root);
  const pipeline = `${imported.name}.pipeline.ts`;
  const copied = ["dvc-stage.mjs", ...(imported.hasParams ? ["params-file.ts"] : [])];
  const taken = [...imported.modules.keys(), ...copied].filter((name) => existsSync(join(root, name)));
  if (taken.length > 0) {
    throw new MlpipeError(
      "MLP6015",
      `${relative(process.cwd(), root) || "This folder"} has ${taken.join(", ")} already.`,
      { hint: "Nothing was written. Remove them, or rename them, to import again." },
    );
  }
  mkdirSync(root, { recursive: true });
  for (const [name, text] of imported.modules) writeFileSync(join(root, name), text);
  for (const name of copied) copyFileSync(packageFile(`templates/dvc/${name}`), join(root, name));
  const packages = ["mlpipe", "zod", ...(imported.hasParams ? ["yaml"] : [])];
  const project = completeProject(root, packages);
  const files = [...imported.modules.keys(), ...copied, ...project.made].toSorted();
  const lost = imported.remarks.filter(({ kind }) => kind === "lost");
  const changed = imported.remarks.filter(({ kind }) => kind === "changed");
  if (options.json === true) {
    const plain = ({ what, message, at }: Remark): Record<string, unknown> => ({
      what,
      message,
      at: { ...at, file: relative(root, at.file) },
    });
    printJson({
      schemaVersion: 1,
      folder: root,
      files,
      ready: project.isReady,
      stages: imported.stages,
      notCarried: lost.map(plain),
      carriedOtherwise: changed.map(plain),
      absent: imported.absent,
    });
    return 0;
  }
  const style = styleFor(process.stdout);
  for (const name of files) print(`  ${style("good", "+")} ${name}`);
  print(
    `\n${imported.stages} ${imported.stages === 1 ? "stage is a step" : "stages are steps"} of ${pipeline}.`,
  );
  const section = (title: string, remarks: readonly Remark[]): void => {
    if (remarks.length === 0) return;
    print(`\n${style("strong", title)}`);
    for (const { message, at } of remarks)
      print(`  ${style("name", `${relative(process.cwd(), at.file)}:${at.line}:${at.column}`)}  ${message}`);
  };
  section("Not carried", lost);
  section("Carried in another way", changed);
  if (imported.absent.length > 0) print(`\nNot there yet: ${imported.absent.join(", ")}.`);
  const enter = relative(process.cwd(), root);
  const steps = [
    ...(enter === "" ? [] : [`cd ${asArgument(enter)}`]),
    ...project.next,
    ...(imported.absent.length > 0 ? ["dvc pull"] : []),
    "npx mlpipe run",
  ];
  print(`\nNext:  ${steps.join(" && ")}`);
  if (project.typing !== undefined) print(`For the compiler and the editor:  ${project.typing}`);
  return 0;
}

/** The folder of the project that a path belongs to: the nearest upwards that DVC or git was begun in, or its own. */
function rootOf(path: string): string {
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  const own = isFolder ? path : dirname(path);
  for (let folder = own; ; folder = dirname(folder)) {
    if ([".dvc", ".git", "package.json"].some((mark) => existsSync(join(folder, mark)))) return folder;
    if (dirname(folder) === folder) return own;
  }
}
