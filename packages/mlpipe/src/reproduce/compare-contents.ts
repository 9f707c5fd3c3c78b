/** How alike two contents are: by bytes, then by what they say, then within a tolerance. */
import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Verdict } from "@mlpipe/provenance/reproduction";
import { worst } from "@mlpipe/provenance/reproduction";
import { hashPath } from "@mlpipe/store";
import { formOf } from "./forms.ts";

/** How alike, and in words what differs or in which form they are the same. */
export interface Likeness {
  readonly verdict: Verdict;
  readonly detail?: string;
}

/** Larger files are compared by their bytes alone. */
const largest = 256 * 1024 * 1024;

/** Where a tolerance was given, a difference below this is within it, near zero too. */
const smallest = 1e-12;

/** Compares two files or two folders by their paths. */
export function compareContents(
  before: string,
  after: string,
  { name, tolerance }: { readonly name: string; readonly tolerance: number },
): Likeness {
  const [was, is] = [statSync(before), statSync(after)];
  if (was.isDirectory() !== is.isDirectory())
    return { verdict: "DIVERGED", detail: "a file became a folder, or a folder a file" };
  if (was.isDirectory()) return compareFolders(before, after, tolerance);
  return compareFiles(before, after, name, tolerance);
}

/** Two files by their paths. */
function compareFiles(before: string, after: string, name: string, tolerance: number): Likeness {
  const [was, is] = [statSync(before), statSync(after)];
  if (Math.max(was.size, is.size) <= largest)
    return compareBytes(readFileSync(before), readFileSync(after), name, tolerance);
  return was.size === is.size && hashPath(before).digest === hashPath(after).digest
    ? { verdict: "IDENTICAL" }
    : { verdict: "DIVERGED", detail: "the bytes differ" };
}

function compareFolders(before: string, after: string, tolerance: number): Likeness {
  const [was, is] = [filesIn(before), filesIn(after)];
  const gone = was.filter((file) => !is.includes(file));
  const added = is.filter((file) => !was.includes(file));
  if (gone.length > 0) return { verdict: "DIVERGED", detail: `${gone[0]} is gone` };
  if (added.length > 0) return { verdict: "DIVERGED", detail: `${added[0]} is new` };
  const likenesses = was.map((file) => ({
    file,
    ...compareEntries(join(before, file), join(after, file), file, tolerance),
  }));
  const verdict = worst(likenesses.map((likeness) => likeness.verdict));
  const telling = likenesses.find((likeness) => likeness.verdict === verdict);
  return { verdict, ...(telling?.detail !== undefined && { detail: `${telling.file}: ${telling.detail}` }) };
}

function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
}

/** Two entries of folders: files, or links by where they lead. */
function compareEntries(before: string, after: string, name: string, tolerance: number): Likeness {
  const [was, is] = [targetOf(before), targetOf(after)];
  if (was === undefined && is === undefined) return compareFiles(before, after, name, tolerance);
  if (was === is) return { verdict: "IDENTICAL" };
  return { verdict: "DIVERGED", detail: `is ${sortOf(is)}, and was ${sortOf(was)}` };
}

function sortOf(target: string | undefined): string {
  return target === undefined ? "a file" : `a link to ${target}`;
}

function targetOf(path: string): string | undefined {
  return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
}

function compareBytes(was: Buffer, is: Buffer, name: string, tolerance: number): Likeness {
  if (was.equals(is)) return { verdict: "IDENTICAL" };
  const [before, after] = [formOf(was, name), formOf(is, name)];
  if (before === undefined || after === undefined || before.name !== after.name)
    return { verdict: "DIVERGED", detail: byteDifference(was, is) };
  const sameNumbers = before.numbers.every((number, index) => Object.is(number, after.numbers[index]));
  const sameLength = before.numbers.length === after.numbers.length;
  const isSame = before.shape === after.shape && sameNumbers && sameLength;
  const isReordered = before.unordered !== undefined && before.unordered === after.unordered;
  if (isSame || isReordered)
    return {
      verdict: "EQUIVALENT",
      detail: `the same as ${before.name}${isSame ? "" : ", its rows in another order"}`,
    };
  if (before.shape !== after.shape || !sameLength)
    return { verdict: "DIVERGED", detail: `differs as ${before.name}; ${byteDifference(was, is)}` };
  const { relative, count } = differenceOf(before.numbers, after.numbers, tolerance);
  const by =
    relative === Infinity ? "whole ones too" : `by ${relative.toExponential(1)} of their size at most`;
  const detail = `${count} of ${before.numbers.length} numbers differ, ${by}`;
  return { verdict: relative <= tolerance ? "WITHIN_TOLERANCE" : "DIVERGED", detail };
}

function differenceOf(
  before: readonly number[],
  after: readonly number[],
  tolerance: number,
): { readonly relative: number; readonly count: number } {
  let relative = 0;
  let count = 0;
  before.forEach((was, index) => {
    const is = after[index] ?? Number.NaN;
    if (Object.is(was, is)) return;
    count++;
    const by = Math.abs(was - is);
    if (tolerance > 0 && by <= smallest) return;
    // A tolerance is for rounding: another count is another count, and another time in milliseconds a clock.
    if (Number.isInteger(was) && Number.isInteger(is)) {
      relative = Infinity;
      return;
    }
    // What is no number in one of them is infinitely far away.
    const share = by / Math.max(Math.abs(was), Math.abs(is));
    relative = Math.max(relative, Number.isNaN(share) ? Infinity : share);
  });
  return { relative, count };
}

function byteDifference(was: Buffer, is: Buffer): string {
  const end = Math.min(was.length, is.length);
  let at = 0;
  while (at < end && was[at] === is[at]) at++;
  const sizes = was.length === is.length ? `${was.length} bytes each` : `${was.length} → ${is.length} bytes`;
  return `the bytes differ from ${at} on (${sizes})`;
}
