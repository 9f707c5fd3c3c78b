/**
 * The project as it was when a run executed its steps, in a folder of its own: the recorded commit with the recorded
 * changes over it. The user's repository is only read: it is cloned by reference, and no hook of it runs.
 */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative, sep } from "node:path";
import type { Run } from "@mlpipe/provenance";
import { type Content, isDigest, removeAll, type Store } from "@mlpipe/store";

/** What is installed and not committed: linked, so that the packages are those of here and now. */
const installed = ["node_modules", ".venv", "venv"];

/** What a copy of a project without git leaves out. */
const notCopied = new Set([...installed, ".git", ".mlpipe", "artifacts"]);

/** A project in a scratch folder, or why there can be none. */
export type Scratch =
  | {
      readonly type: "made";
      /** Absolute path of the project's root in it. */
      readonly root: string;
      /** How the code came there, in words. */
      readonly code: string;
      [Symbol.dispose](): void;
    }
  | { readonly type: "missing"; readonly reason: string };

/** Makes the scratch project of a run. */
export function scratchProject(root: string, store: Store, { git, id }: Run): Scratch {
  const folder = realpathSync(mkdtempSync(join(realpathSync(tmpdir()), "mlpipe-reproduce-")));
  const dispose = (): void => {
    removeAll(folder);
  };
  const missing = (reason: string): Scratch => {
    dispose();
    return { type: "missing", reason };
  };
  try {
    if (git === null || git.commit === null) {
      // Nothing says what the code was, but every step's key says whether it still is that.
      const copy = join(folder, basename(root));
      cpSync(root, copy, {
        recursive: true,
        verbatimSymlinks: true,
        filter: (path) => !notCopied.has(basename(path)) && path !== store.root,
      });
      linkInstalled(root, root, copy);
      linkObjects(store, copy);
      return {
        type: "made",
        root: copy,
        code: "as it lies here: no commit was recorded",
        [Symbol.dispose]: dispose,
      };
    }
    const top = line(root, "rev-parse", "--show-toplevel");
    const prefix = relative(realpathSync(top), realpathSync(root));
    const clone = join(folder, basename(top));
    run(folder, "clone", "--quiet", "--shared", "--no-checkout", top, clone);
    try {
      run(clone, "checkout", "--quiet", "--detach", git.commit);
    } catch {
      return missing(`the commit ${git.commit.slice(0, 12)} of run ${id} is not in the repository`);
    }
    const copy = join(clone, prefix);
    mkdirSync(copy, { recursive: true });
    const { diff = null, untracked = [] } = git.dirty ?? {};
    if (diff !== null) {
      const content = contentOf(diff);
      if (content === undefined || store.objects.verify(content) !== "ok")
        return missing("the uncommitted changes that the run was made with are no longer in the store");
      const patch = join(folder, "recorded.diff");
      writeFileSync(patch, readFileSync(store.objects.pathOf(content)));
      run(clone, "apply", "--binary", "--whitespace=nowarn", patch);
    }
    for (const ref of untracked) {
      const content = contentOf(ref);
      const place = join(copy, ref.name);
      if (content === undefined || !store.objects.has(content) || existsSync(place)) continue;
      mkdirSync(dirname(place), { recursive: true });
      writeFileSync(place, readFileSync(store.objects.pathOf(content)));
    }
    linkInstalled(realpathSync(top), realpathSync(root), copy);
    linkObjects(store, copy);
    const changes = git.dirty === null ? "" : " with the recorded changes";
    return {
      type: "made",
      root: copy,
      code: `commit ${git.commit.slice(0, 12)}${changes}`,
      [Symbol.dispose]: dispose,
    };
  } catch (error) {
    return missing(`the recorded code could not be brought back: ${messageOf(error)}`);
  }
}

/** Has a store of its own that reads the objects of the project's. */
function linkObjects(store: Store, copy: string): void {
  const own = join(copy, ".mlpipe");
  rmSync(own, { recursive: true, force: true });
  mkdirSync(own, { mode: 0o700 });
  const objects = join(store.root, "objects");
  mkdirSync(objects, { recursive: true });
  symlinkSync(objects, join(own, "objects"));
}

/** Links what is installed in the project, and in the folders around it up to the top of the repository. */
function linkInstalled(top: string, root: string, copy: string): void {
  for (let [from, to] = [root, copy]; ; [from, to] = [dirname(from), dirname(to)]) {
    for (const name of installed) {
      const there = join(from, name);
      const place = join(to, name);
      if (!existsSync(there) || existsSync(place)) continue;
      // A link that was committed leads nowhere from here.
      rmSync(place, { force: true });
      symlinkSync(realpathSync(there), place);
    }
    if (from === top || !from.startsWith(top + sep)) return;
  }
}

function contentOf({
  type,
  digest,
  size,
}: {
  type: string;
  digest: string;
  size: number;
}): Content | undefined {
  return type === "file" && isDigest(digest) ? { type, digest, size } : undefined;
}

function line(cwd: string, ...args: readonly string[]): string {
  return run(cwd, ...args).trim();
}

function run(cwd: string, ...args: readonly string[]): string {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_")));
  const flags = ["--no-pager", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"];
  return execFileSync("git", [...flags, ...args], {
    cwd,
    env: { ...env, GIT_TERMINAL_PROMPT: "0" },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 64 * 1024 * 1024,
  });
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // What git says of it is on the second line.
  return error.message.split("\n").slice(0, 2).join(" ");
}
