/** Where a command may put a file or a folder that its user has named a place for. */
import { readdirSync, type Stats, statSync } from "node:fs";
import { dirname, relative, resolve, sep } from "node:path";
import { MlpipeError } from "@mlpipe/dsl";

export interface PlaceOptions {
  readonly overwrite?: true | undefined;
  /** What is to be there. */
  readonly made: "file" | "folder";
  /** The file by which a folder is known that this command made earlier; another folder is not replaced. */
  readonly mark?: string;
  /** Folders that nothing may take the place of, nor of what they are in. */
  readonly kept: readonly string[];
}

/**
 * The absolute path of a place. A folder gives way to no file: a slip would cost all that is in it.
 *
 * @param output as the user named it
 * @throws MlpipeError MLP6015 if something is there that may not go
 */
export function outputPlace(output: string, { overwrite, made, mark, kept }: PlaceOptions): string {
  const path = resolve(output);
  refuseBelowFile(path);
  const there = look(path);
  if (there === undefined) return path;
  if (there.isDirectory() && made === "file")
    refuse(`${output} is a folder, and not replaced by a file.`, "Name a place in it.");
  if (overwrite !== true)
    refuse(`${output} exists already.`, "Name another place, or replace it with --overwrite.");
  if (there.isDirectory()) {
    if (kept.some((folder) => isWithin(folder, path)))
      refuse(`${output} holds the project or its store, and is not replaced.`, "Name another place.");
    const names = readdirSync(path);
    if (mark !== undefined && names.length > 0 && !names.includes(mark))
      refuse(`${output} is a folder with other things in it, and not replaced.`, "Name another place.");
  }
  return path;
}

/**
 * Makes sure that what is nearest above a path is a folder.
 * @throws MlpipeError MLP6015
 */
export function refuseBelowFile(path: string): void {
  for (let at = dirname(path); ; at = dirname(at)) {
    const there = look(at);
    if (there?.isDirectory() === true || dirname(at) === at) return;
    if (there !== undefined)
      refuse(
        `${relative(process.cwd(), at)} is a file, and nothing can be put below it.`,
        "Name another place.",
      );
  }
}

function refuse(message: string, hint: string): never {
  throw new MlpipeError("MLP6015", message, { hint });
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/** What is at a path; below a file there is nothing. */
function look(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOTDIR") return undefined;
    throw error;
  }
}
