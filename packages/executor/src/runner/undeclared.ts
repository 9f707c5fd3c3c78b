/** What a step opens and does not declare: refused by Node's permission model or by the fence, or only noted. */
import { resolve, sep } from "node:path";
import type { Undeclared } from "../task.ts";

/** Whether anything is refused here: elsewhere a file that may not be read is just that. */
let isKept = false;

/** Noted so far, each once. */
export const undeclared: Undeclared[] = [];

let cause: Undeclared | undefined;

/** From now on what is refused is told by its name. */
export function expectRefusals(): void {
  isKept = true;
}

/** What the last error that was told of is about, if something was refused. */
export function refused(): Undeclared | undefined {
  return cause;
}

/** Notes what an error is about, if it says that something was refused; also one that caused it. */
export function noteRefusal(thrown: unknown): void {
  if (!isKept) return;
  for (let error = thrown, depth = 0; error instanceof Error && depth < 5; error = error.cause, depth++) {
    const found = refusalOf(error);
    if (found === undefined) continue;
    cause = found;
    return;
  }
}

/**
 * Whether a path is worth a word: of the project, and neither a package's nor mlpipe's own.
 * @param place absolute
 */
export function isOfProject(place: string, root: string): boolean {
  if (!place.startsWith(root + sep)) return false;
  return !/[\\/](?:node_modules|\.mlpipe|\.git)(?:[\\/]|$)/.test(place.slice(root.length));
}

const accesses: Readonly<Record<string, Undeclared["access"]>> = {
  FileSystemRead: "read",
  FileSystemWrite: "write",
};

/** What the permission model refuses to all. */
const refusedUses: Readonly<Record<string, string>> = {
  ChildProcess: "another process",
  WorkerThreads: "a worker thread",
  Addon: "a native addon",
  WASI: "WASI",
};

/** Calls of the system that change a folder or a file. */
const writing = new Set(
  "mkdir rmdir rename unlink link symlink copyfile truncate ftruncate mkdtemp chmod fchmod chown fchown lchown utime futime lutime".split(
    " ",
  ),
);

function refusalOf(error: Error): Undeclared | undefined {
  // Errors of Node's: the permission model's, and those of calls of the system.
  const { code, permission, resource, path, dest, syscall } = error as Error & {
    readonly [name in "code" | "permission" | "resource" | "path" | "dest" | "syscall"]?: unknown;
  };
  if (code === "ERR_ACCESS_DENIED") {
    const access = accesses[String(permission)];
    const what = /^([\w.]+) API (?:is disabled|requires)/.exec(error.message)?.[1];
    if (access === undefined || what !== undefined) {
      return { path: what ?? refusedUses[String(permission)] ?? String(permission), access: "start" };
    }
    return typeof resource === "string" && resource !== "" ? { path: resolve(resource), access } : undefined;
  }
  if (code !== "EACCES" && code !== "EROFS" && code !== "EPERM" && code !== "EXDEV") return undefined;
  const place = typeof dest === "string" ? dest : path;
  if (typeof place !== "string" || typeof syscall !== "string" || syscall.startsWith("spawn"))
    return undefined;
  const isWrite = code === "EROFS" || writing.has(syscall);
  return { path: resolve(place), access: isWrite ? "write" : syscall === "scandir" ? "list" : "read" };
}
