/**
 * The state of the repository that a project lies in. Whatever git cannot say is a fact of its
 * own: a run never fails because of it.
 */
import { execFile } from "node:child_process";
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { digestOf, type Store } from "@mlpipe/store";
import type { Ref, Run } from "./records.ts";

/** Nothing of the user's configuration is executed, and nothing is written. */
export const gitFlags: readonly string[] = [
  "--no-optional-locks",
  "--no-pager",
  "-c",
  "core.fsmonitor=false",
  "-c",
  "diff.external=",
];

/** More and larger untracked files than these are counted and not looked at. */
const mostUntracked = 1_000;
const largestUntracked = 10 * 1024 * 1024;

/** Untracked files whose bytes are kept: what code is made of, or a command may be told. Data is an input of a step. */
const kept = /\.(?:[cm]?[jt]sx?|json|ya?ml|toml|py|pyi|r|jl|sh|sql|cfg|ini|txt|md)$/i;
const mostKept = 200;
const largestKept = 256 * 1024;

/** Git's facts; null outside a repository, or where git is not installed. */
export async function gitState(root: string, store: Store): Promise<Run["git"]> {
  const git = (...args: readonly string[]): Promise<Buffer | undefined> => runGit(root, args);
  const line = async (...args: readonly string[]): Promise<string | null> => {
    const output = await git(...args);
    return output?.toString("utf8").trim() || null;
  };
  if (!liesInRepository(realpathSync(root))) return null;
  const [remote, commit, ref, diff, untracked] = await Promise.all([
    line("config", "--get", "remote.origin.url"),
    line("rev-parse", "--verify", "HEAD"),
    line("symbolic-ref", "--quiet", "HEAD"),
    git("diff", "--binary", "--no-ext-diff", "--no-textconv", "HEAD"),
    git("ls-files", "--others", "--exclude-standard", "-z"),
  ]);
  // Git is not there, or does not want to speak of a repository of somebody else's.
  if (untracked === undefined) return null;
  const names = untracked
    .toString("utf8")
    .split("\0")
    .filter((name) => name !== "");
  const isDirty = (diff !== undefined && diff.length > 0) || names.length > 0;
  return {
    remote: remote === null ? null : withoutCredentials(remote),
    commit,
    ref,
    dirty: isDirty ? { diff: diffRef(diff, store), ...untrackedRefs(root, names, store) } : null,
  };
}

/** To ask git itself would start a process for each run outside of one. */
function liesInRepository(folder: string): boolean {
  if (existsSync(join(folder, ".git"))) return true;
  const parent = dirname(folder);
  return parent !== folder && liesInRepository(parent);
}

/** A file of a commit; nothing if git, the commit or the file is not there. @param path relative to the folder */
export async function fileAt(folder: string, commit: string, path: string): Promise<Buffer | undefined> {
  return runGit(folder, ["cat-file", "blob", `${commit}:./${path}`]);
}

/** What git says; nothing if it fails, or is not installed. */
export function runGit(cwd: string, args: readonly string[]): Promise<Buffer | undefined> {
  // Variables that a hook of git sets would make it speak of another repository.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_")));
  return new Promise((resolve) => {
    execFile(
      "git",
      [...gitFlags, ...args],
      { cwd, env, encoding: "buffer", maxBuffer: 256 * 1024 * 1024, timeout: 20_000 },
      (error, stdout) => {
        resolve(error === null ? stdout : undefined);
      },
    );
  });
}

/** A URL as it may be shown: without user and password. */
export function withoutCredentials(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^@/]*@/i, "$1");
}

function diffRef(diff: Buffer | undefined, store: Store): Ref | null {
  if (diff === undefined || diff.length === 0) return null;
  const { digest, size } = store.objects.putBytes(diff);
  return { name: "HEAD.diff", type: "file", digest, size, mediaType: "text/x-diff" };
}

/** What the pipeline returned was copied there: it is no code, and kept as an output as long as its run is. */
function isCopiedOut(name: string): boolean {
  return name.startsWith("artifacts/");
}

function untrackedRefs(
  root: string,
  names: readonly string[],
  store: Store,
): { untracked: Ref[]; note?: string } {
  const refs: Ref[] = [];
  let left = 0;
  let keptSoFar = 0;
  for (const name of names) {
    const path = join(root, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (refs.length >= mostUntracked || stat?.isFile() !== true || stat.size > largestUntracked) {
      left++;
      continue;
    }
    try {
      const bytes = readFileSync(path);
      const isKept =
        kept.test(name) && !isCopiedOut(name) && stat.size <= largestKept && keptSoFar++ < mostKept;
      const { digest } = isKept ? store.objects.putBytes(bytes) : { digest: digestOf(bytes) };
      refs.push({ name, type: "file", digest, size: bytes.length });
    } catch {
      left++;
    }
  }
  return left === 0
    ? { untracked: refs }
    : { untracked: refs, note: `${left} more untracked files were not looked at` };
}
