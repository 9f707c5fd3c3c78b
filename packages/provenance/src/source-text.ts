/**
 * The text of a source file as it was when a run was made: of the commit and the changes that the run recorded. What
 * git does not have (a file that was not tracked, a commit that is gone) cannot be told, except where the file that
 * lies there now is the very one by its digest.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { digestOf, isDigest, type Store } from "@mlpipe/store";
import { gitFlags } from "./git.ts";
import type { Run } from "./records.ts";

/** The text, or why it cannot be told. */
export type SourceText = { readonly text: string } | { readonly missing: string };

/** @param file relative to the project's root */
export function sourceText(root: string, store: Store, run: Run, file: string): SourceText {
  const { git } = run;
  if (git?.commit == null) return { missing: "the run was recorded outside of a repository" };
  const untracked = git.dirty?.untracked.find(({ name }) => name === file);
  if (untracked !== undefined) {
    const now = readOrNothing(join(root, file));
    return now !== undefined && digestOf(now) === untracked.digest
      ? { text: now.toString("utf8") }
      : { missing: "it was not tracked by git then, and is another one now" };
  }
  const committed = runGit(root, ["show", `${git.commit}:./${file}`]);
  const diff = git.dirty?.diff;
  if (diff == null) {
    return committed === undefined
      ? { missing: "the commit, or the file in it, is not in the repository" }
      : { text: committed };
  }
  const content = isDigest(diff.digest)
    ? { type: "file" as const, digest: diff.digest, size: diff.size }
    : undefined;
  if (content === undefined || !store.objects.has(content))
    return { missing: "the changes of then are no longer kept" };
  const prefix = runGit(root, ["rev-parse", "--show-prefix"])?.trim() ?? "";
  return patched(committed, `${prefix}${file}`, store.objects.pathOf(content));
}

/** In a folder of its own, where nothing of the project's is touched. */
function patched(committed: string | undefined, path: string, patch: string): SourceText {
  const folder = mkdtempSync(join(tmpdir(), "mlpipe-diff-"));
  try {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    if (committed !== undefined) writeFileSync(join(folder, path), committed);
    const done = runGit(folder, ["apply", "--whitespace=nowarn", `--include=${path}`, patch]);
    if (done === undefined) return { missing: "the changes of then do not fit the commit" };
    const text = readOrNothing(join(folder, path))?.toString("utf8");
    return text === undefined ? { missing: "the file was not there" } : { text };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A unified diff of two texts, without a heading; empty if they are equal. */
export function unifiedDiff(before: string, after: string): string {
  const folder = mkdtempSync(join(tmpdir(), "mlpipe-diff-"));
  try {
    writeFileSync(join(folder, "before"), before);
    writeFileSync(join(folder, "after"), after);
    const args = ["diff", "--no-index", "--no-color", "--no-ext-diff", "--no-textconv", "before", "after"];
    // Exit code 1 says that there is a difference.
    const text = runGit(folder, args, [0, 1]) ?? "";
    const from = text.indexOf("\n@@");
    return from === -1 ? "" : text.slice(from + 1).trimEnd();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function runGit(cwd: string, args: readonly string[], fine: readonly number[] = [0]): string | undefined {
  const variables = Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_"));
  // A temporary folder inside of a repository is none of that repository's.
  const env = { ...Object.fromEntries(variables), GIT_CEILING_DIRECTORIES: tmpdir(), LC_ALL: "C" };
  try {
    const stdio: ["ignore", "pipe", "ignore"] = ["ignore", "pipe", "ignore"];
    return execFileSync("git", [...gitFlags, ...args], {
      cwd,
      env,
      encoding: "utf8",
      stdio,
      maxBuffer: 64 << 20,
    });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // What `execFileSync` throws has both, when the program ran at all.
    const { status, stdout } = error as Error & { readonly status?: number; readonly stdout?: string };
    return status !== undefined && fine.includes(status) ? stdout : undefined;
  }
}

function readOrNothing(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
