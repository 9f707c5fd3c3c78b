/** What is recorded of a repository, on real ones. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDigest, openStore, type Store } from "@mlpipe/store";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { gitState, withoutCredentials } from "./git.ts";
import { withUntrackedCode } from "./untracked-code.ts";

let root: string;
let store: Store;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "mlpipe-git-")));
  store = openStore(join(root, ".mlpipe"));
});
afterEach(() => {
  store.close();
  rmSync(root, { recursive: true, force: true });
});

const git = (...args: readonly string[]): string =>
  execFileSync("git", ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", ...args], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();

function committed(): string {
  git("init", "-q", "-b", "main");
  writeFileSync(join(root, ".gitignore"), ".mlpipe\n");
  writeFileSync(join(root, "train.py"), "print(1)\n");
  git("add", ".");
  git("commit", "-q", "-m", "first");
  return git("rev-parse", "HEAD");
}

describe("the state of a repository", () => {
  it("is nothing outside of one", async () => {
    expect(await gitState(root, store)).toBeNull();
  });

  it("is a branch without a commit at first", async () => {
    git("init", "-q", "-b", "main");
    expect(await gitState(root, store)).toMatchObject({ commit: null, ref: "refs/heads/main" });
  });

  it("is its commit when nothing was changed", async () => {
    const commit = committed();
    expect(await gitState(root, store)).toEqual({
      remote: null,
      commit,
      ref: "refs/heads/main",
      dirty: null,
    });
  });

  it("has the bytes of untracked code, and only the digest of untracked data", async () => {
    committed();
    writeFileSync(join(root, "features.py"), "lag = 3\n");
    writeFileSync(join(root, "days.csv"), "a,b\n1,2\n");
    const state = await gitState(root, store);
    const kept = state?.dirty?.untracked.map(({ name, digest, size }) => {
      if (!isDigest(digest)) throw new Error("no digest");
      return [name, store.objects.has({ type: "file", digest, size })];
    });
    expect(kept).toEqual([
      ["days.csv", false],
      ["features.py", true],
    ]);
  });

  it("has the code of executed steps that git ignores or that is no code by its name, unless it was written since", async () => {
    committed();
    writeFileSync(join(root, ".gitignore"), ".mlpipe\nmade/\n");
    git("commit", "-q", "-am", "second");
    mkdirSync(join(root, "made"));
    for (const name of ["made/table.py", "made/unused.py", "vocabulary.bin", "later.bin"])
      writeFileSync(join(root, name), `${name}\n`);
    const state = await gitState(root, store);
    if (state === null) throw new Error("no repository");
    const files = ["train.py", "made/table.py", "vocabulary.bin", "node_modules/zod/index.js", "../other.py"];
    const around = { root, store, since: new Date(Date.now() + 60_000) };
    const used = new Set(files.map((name) => join(root, name)));
    const whole = await withUntrackedCode(state, used, around);
    const kept = (whole.dirty?.untracked ?? []).map(({ name, digest, size }) => [
      name,
      isDigest(digest) && store.objects.has({ type: "file", digest, size }),
    ]);
    expect(kept).toEqual([
      ["later.bin", false],
      ["vocabulary.bin", true],
      ["made/table.py", true],
    ]);
    expect(whole.dirty?.note).toBeUndefined();
    // What was written after the run began is not what it was made with.
    const late = await withUntrackedCode(state, new Set([join(root, "made/table.py")]), {
      ...around,
      since: new Date(0),
    });
    expect(late.dirty?.note).toBe("code that is not kept: made/table.py");
    // All of it is in the commit: nothing was changed.
    const clean = { ...state, dirty: null };
    expect(await withUntrackedCode(clean, new Set([join(root, "train.py")]), around)).toBe(clean);
  });

  it("has the diff, applicable as it is, binary files and odd names included", async () => {
    committed();
    writeFileSync(join(root, "train.py"), "print(2)\n");
    writeFileSync(join(root, "weights.bin"), Buffer.from([0, 1, 255]));
    git("add", "weights.bin");
    writeFileSync(join(root, "ä\tnew.txt"), "new\n");
    const state = await gitState(root, store);
    expect(state?.dirty?.untracked.map(({ name }) => name)).toEqual(["ä\tnew.txt"]);
    const { digest, size } = state?.dirty?.diff ?? { digest: "", size: 0 };
    if (!isDigest(digest)) throw new Error("no diff");
    const diff = readFileSync(store.objects.pathOf({ type: "file", digest, size }));
    git("stash", "-q");
    execFileSync("git", ["apply", "--index"], { cwd: root, input: diff });
    expect(readFileSync(join(root, "train.py"), "utf8")).toBe("print(2)\n");
    expect(readFileSync(join(root, "weights.bin"))).toEqual(Buffer.from([0, 1, 255]));
  });

  it("is that of the project's repository, whatever a git hook has set", async () => {
    const commit = committed();
    const other = join(root, "other");
    mkdirSync(other);
    process.env["GIT_DIR"] = join(other, ".git");
    try {
      expect((await gitState(root, store))?.commit).toBe(commit);
    } finally {
      delete process.env["GIT_DIR"];
    }
  });

  it("says a detached head, and a remote without its password", async () => {
    const commit = committed();
    git("checkout", "-q", commit);
    git("remote", "add", "origin", "https://ada:token@git.example/ada/rain.git");
    expect(await gitState(root, store)).toMatchObject({
      ref: null,
      remote: "https://git.example/ada/rain.git",
    });
    expect(withoutCredentials("git@git.example:ada/rain.git")).toBe("git@git.example:ada/rain.git");
  });

  it("executes nothing of the user's configuration", async () => {
    committed();
    git("config", "diff.external", "touch executed");
    git("config", "core.fsmonitor", "touch executed");
    writeFileSync(join(root, "train.py"), "print(2)\n");
    const state = await gitState(root, store);
    expect(state?.dirty?.diff?.size).toBeGreaterThan(0);
    expect(state?.dirty?.untracked).toEqual([]);
  });
});
