/**
 * Code that a run was made with and that git does not have: files that it ignores, and those that are too large or too
 * many to be kept of everything that lies around untracked. Without them nobody could make the run again.
 */
import { lstatSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { digestOf, type Store } from "@mlpipe/store";
import { runGit } from "./git.ts";
import type { Ref, Run } from "./records.ts";

type Git = NonNullable<Run["git"]>;

/** A larger file is data by another name: it belongs into a source. */
const largest = 10 * 1024 * 1024;
const mostBytes = 64 * 1024 * 1024;

/** So many names fit into the arguments of a program on every system. */
const namesAtOnce = 500;

/**
 * The state of the repository with what of the code it lacks, bytes and all.
 * @param files absolute paths of what the executed steps are made of
 * @param since when the run began: what was written later is not what it was made with
 */
export async function withUntrackedCode(
  git: Git,
  files: ReadonlySet<string>,
  { root, store, since }: { readonly root: string; readonly store: Store; readonly since: Date },
): Promise<Git> {
  const names = [...files]
    .map((file) => relative(root, file).split(sep).join("/"))
    // What lies outside, or belongs to an installed package, has other records.
    .filter((name) => !name.startsWith("../") && !name.split("/").includes("node_modules"))
    .toSorted();
  const tracked = await trackedOf(root, names);
  if (tracked === undefined) return git;
  const lacking = names.filter((name) => !tracked.has(name));
  if (lacking.length === 0) return git;
  const refs = new Map((git.dirty?.untracked ?? []).map((ref) => [ref.name, ref]));
  let room = mostBytes;
  const left: string[] = [];
  for (const name of lacking) {
    const ref = keptRef(root, name, { store, since, most: Math.min(largest, room) });
    if (ref === undefined) {
      left.push(name);
      continue;
    }
    // One whose digest was noted before is another one by now: what was noted stays.
    const noted = refs.get(name);
    if (noted === undefined || noted.digest === ref.digest) refs.set(name, ref);
    room -= ref.size;
  }
  const said = left.length === 0 ? undefined : `code that is not kept: ${left.slice(0, 20).join(", ")}`;
  const note = [git.dirty?.note, said].filter((text) => text !== undefined).join("; ");
  return {
    ...git,
    dirty: {
      diff: git.dirty?.diff ?? null,
      untracked: [...refs.values()],
      ...(note !== "" && { note }),
    },
  };
}

function keptRef(
  root: string,
  name: string,
  { store, since, most }: { readonly store: Store; readonly since: Date; readonly most: number },
): Ref | undefined {
  const path = join(root, name);
  try {
    const stat = lstatSync(path);
    if (!stat.isFile() || stat.size > most || stat.ctime > since) return undefined;
    const bytes = readFileSync(path);
    store.objects.putBytes(bytes);
    return { name, type: "file", digest: digestOf(bytes), size: bytes.length };
  } catch {
    // Gone, or closed to this user: a fact of its own, and no failure of the run.
    return undefined;
  }
}

/** Which of the names git has; nothing if it cannot say. */
async function trackedOf(root: string, names: readonly string[]): Promise<ReadonlySet<string> | undefined> {
  const tracked = new Set<string>();
  for (let from = 0; from < names.length; from += namesAtOnce) {
    const some = names.slice(from, from + namesAtOnce);
    const output = await runGit(root, ["--literal-pathspecs", "ls-files", "-z", "--cached", "--", ...some]);
    if (output === undefined) return undefined;
    for (const name of output.toString("utf8").split("\0")) tracked.add(name);
  }
  return tracked;
}
