/** The work that every tool is given: the same files, the same trivial commands. */
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

/**
 * - `start`: nothing but starting a program
 * - `fan`: commands that do not depend on each other: `cp data/7.txt out/7.txt`
 * - `chain`: each command copies what the one before it wrote
 * - `files`: one command with a folder of many small files among its inputs
 * - `large`: one command with four large files among its inputs
 */
export type Shape = "start" | "fan" | "chain" | "files" | "large";

export interface Workload {
  readonly shape: Shape;
  /** Commands of a fan or chain, files of `files`, MiB of `large`. */
  readonly size: number;
}

/** One copy of a workload: from a file to a file, both relative to the project. */
export interface Copy {
  readonly from: string;
  readonly to: string;
}

/** The files of `large`. */
export const largeFiles: readonly string[] = [0, 1, 2, 3].map((i) => `data/large-${i}.bin`);

/** The commands of a workload, each a copy; `files` and `large` have one. */
export function copiesOf({ shape, size }: Workload): readonly Copy[] {
  const to = (i: number): string => `out/${i}.txt`;
  if (shape === "files" || shape === "large") return [{ from: source(0), to: to(0) }];
  return Array.from({ length: size }, (_, i) => ({
    from: shape === "chain" && i > 0 ? to(i - 1) : source(i),
    to: to(i),
  }));
}

/** Inputs that the one command of `files` or `large` has beside what it copies, file by file. */
export function extraInputs({ shape, size }: Workload): readonly string[] {
  if (shape === "large") return largeFiles;
  if (shape !== "files") return [];
  return Array.from({ length: size }, (_, i) => treeFile(i));
}

/** A source by its number. */
export function source(i: number): string {
  return `data/${i}.txt`;
}

function treeFile(i: number): string {
  return `data/tree/${String(Math.floor(i / 1000)).padStart(3, "0")}/${i}.txt`;
}

/** Writes the sources of a workload into a project, in place of those that are there. */
export function writeSources(project: string, { shape, size }: Workload): void {
  rmSync(join(project, "data"), { recursive: true, force: true });
  mkdirSync(join(project, "data"), { recursive: true });
  mkdirSync(join(project, "out"), { recursive: true });
  const sources = shape === "fan" ? size : 1;
  for (let i = 0; i < sources; i++) writeFileSync(join(project, source(i)), `source ${i}\n`);
  if (shape === "files") {
    for (let i = 0; i < size; i++) {
      if (i % 1000 === 0) mkdirSync(join(project, treeFile(i), ".."), { recursive: true });
      writeFileSync(join(project, treeFile(i)), `file ${i} of many, each small and unlike the others\n`);
    }
  }
  if (shape === "large")
    for (const [i, path] of largeFiles.entries()) writeLarge(join(project, path), i, size / 4);
}

/** @param mebibytes 0 for a file of one byte, to have something to compare with */
function writeLarge(path: string, number: number, mebibytes: number): void {
  if (mebibytes === 0) {
    writeFileSync(path, String(number));
    return;
  }
  const block = Buffer.alloc(1024 * 1024);
  const file = openSync(path, "w");
  for (let i = 0; i < mebibytes; i++) {
    block.fill(`block ${number} ${i} `);
    writeSync(file, block);
  }
  closeSync(file);
}
