/** What each error of the store means, for `docs/errors.md` and `mlpipe help CODE`. */
export const storeErrors = {
  MLP4001: {
    title: "A value that has no canonical JSON",
    explain:
      "What is hashed or recorded is written as canonical JSON (RFC 8785), so that one value has one encoding. " +
      "`NaN`, infinities, `undefined`, dates, big integers, maps, sets, functions, class instances, cycles and " +
      "strings with half a surrogate pair have none. Convert the value first (a date to its ISO string, say).",
  },
  MLP4002: {
    title: "The state database is damaged",
    explain:
      "`state.db` of the store cannot be read as the database it should be. Outputs are kept as files beside it and " +
      "are verified by digest before they are used, so nothing wrong is handed out. The next `mlpipe run`, or " +
      "`mlpipe verify --repair`, puts it aside as `state.db.damaged-…` and rebuilds it from the records of the runs.",
  },
  MLP4003: {
    title: "A store made by a newer mlpipe",
    explain:
      "The layout of the state database has a version. This one is newer than what this mlpipe knows, and is left " +
      "untouched. Use the mlpipe that made it, or another store folder.",
  },
  MLP4004: {
    title: "The state database is in use",
    explain:
      "Another process kept the state database locked for longer than mlpipe waits. Writes of mlpipe take milliseconds: " +
      "look for a database browser or a backup that holds `state.db` open.",
  },
  MLP4005: {
    title: "The file system refused",
    explain:
      "A file of the store, an input or an output could not be read or written. The message names the path and the " +
      "reason of the operating system: `ENOSPC` the disk is full, `EACCES`, `EPERM` or `EROFS` no permission to write, " +
      "`EMFILE` too many open files. Nothing half-written is left under a valid name: once the cause is gone, run again.",
  },
  MLP4006: {
    title: "A file that does not exist",
    explain: "A file or folder that should be read is not there, or a link that leads to it ends nowhere.",
  },
  MLP4007: {
    title: "A folder entry that cannot be kept",
    explain:
      "Folders are kept as files, folders and links. Sockets, pipes and devices, names that are not valid UTF-8, and a " +
      "store (`.mlpipe`) inside of a folder cannot be part of an input or an output: move them out of it.",
  },
  MLP4008: {
    title: "A file that changed while it was read",
    explain:
      "A digest taken while somebody writes belongs to neither content. Reading was tried a second time and the file " +
      "changed again: wait until whatever writes it is done.",
  },
  MLP4009: {
    title: "An object that is missing or damaged",
    explain:
      "What the store keeps under a digest is gone, or no longer has that digest. `mlpipe verify --repair` drops what " +
      "is damaged, and so do a run and `mlpipe get` when they come across it: the next run makes it again.",
  },
  MLP4010: {
    title: "An output that is not what was hashed",
    explain:
      "Between the moment an output was hashed and the moment it was to be kept it changed its type, length or content. " +
      "Something writes to it after its step ended: a process the step left behind, or a second name (hard link) of the file.",
  },
  MLP4011: {
    title: "No single run with that id",
    explain:
      "A run is named by its id, by the beginning of it (four characters or more, as long as only one run begins so), " +
      "or by `last`.",
  },
  MLP4012: {
    title: "The records of a run are damaged",
    explain:
      "Each line of `records.jsonl` holds the digest of the line before, and the digest of the last one is kept in the " +
      "database. The two no longer fit together: the file was edited, cut or mixed up.",
  },
  MLP4013: {
    title: "A run that is executing already",
    explain: "A run id belongs to one process at a time, and another process holds this one.",
  },
  MLP4014: {
    title: "A place that cannot be written to",
    explain:
      "Copies of objects are never written into the object folder of a store: choose another destination.",
  },
  MLP4015: {
    title: "The state database is gone",
    explain:
      "There are records of runs, and no `state.db` that they belong to: it was deleted, or moved. The next " +
      "`mlpipe run`, or `mlpipe verify --repair`, rebuilds it from them.",
  },
  MLP4016: {
    title: "The store is being tended",
    explain:
      "`mlpipe gc`, `mlpipe verify --repair` and the rebuilding of a damaged database have the store for themselves, " +
      "one at a time; and a database is not replaced under a run that is using it. Wait for it to end.",
  },
  MLP4017: {
    title: "Results were collected while the run was being planned",
    explain:
      "`mlpipe gc` removed results that this run was going to use, before it had begun. A run then plans again by " +
      "itself; this is seen only if gc does it over and over. Run again.",
  },
} as const;

/** The stable code of a store error. */
export type StoreErrorCode = keyof typeof storeErrors;

/** A place in a user's source, as in the errors of the language. */
interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Something about the kept state, the file system or an input that a user can act on. Never thrown for a bug in mlpipe. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  /** Stable over versions; `docs/errors.md` explains each. */
  readonly code: StoreErrorCode;
  /** The exit code of a command that ends with this error. */
  readonly exit: number;
  /** What to do about it. */
  readonly hint?: string;
  /** The store knows no sources, so this stays empty; it is here for the shape shared by all coded errors. */
  readonly at: readonly Place[] = [];
  /** The file it is about. */
  readonly path?: string;
  /** The name of the operating system's error, such as `ENOSPC`. */
  readonly errno?: string;

  constructor(
    code: StoreErrorCode,
    message: string,
    options: {
      /** @default 4 (state in use or damaged, or something needed is missing) */
      readonly exit?: number;
      readonly hint?: string | undefined;
      readonly path?: string | undefined;
      readonly errno?: string | undefined;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.exit = options.exit ?? 4;
    if (options.hint !== undefined) this.hint = options.hint;
    if (options.path !== undefined) this.path = options.path;
    if (options.errno !== undefined) this.errno = options.errno;
  }
}

const hints: Readonly<Record<string, string>> = {
  ENOSPC: "The disk is full (or out of inodes): free some space and run again.",
  EDQUOT: "The disk quota is used up: free some space and run again.",
  EACCES: "Check who owns the file and its folder.",
  EPERM:
    "Check who owns the file and its folder. A file system without links or permissions can hold no store: MLPIPE_STORE " +
    "names another place.",
  EROFS: "The file system is mounted read-only.",
  EMFILE: "This process has too many files open: raise the limit (ulimit -n).",
  ENFILE: "The system has too many files open.",
  EXDEV: "Both paths have to lie on one file system.",
  ENAMETOOLONG:
    "SQLite opens no path of more than 512 bytes: move the project, or have its store elsewhere (MLPIPE_STORE=/short/path).",
};

/** What to do about an error of the operating system. */
export function hintFor(errno: string): string {
  return hints[errno] ?? "Check the disk, and who owns the store and its files.";
}

/** The name of the operating system's error, for errors that come from `node:fs`. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  // Node's own argument errors are `ERR_…`: those are bugs of the caller, not of the machine.
  return error.code.startsWith("ERR_") ? undefined : error.code;
}

/**
 * Runs file system work and turns what the operating system refuses into one error with path and errno.
 * Errors that are coded already, and bugs, pass through.
 */
export function withPath<T>(doing: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw fileError(doing, path, error);
  }
}

/** The error that `withPath` throws. */
function fileError(doing: string, path: string, error: unknown): unknown {
  const errno = errnoOf(error);
  if (errno === undefined || error instanceof StoreError) return error;
  // What the system call was given is more exact than what the whole piece of work was about.
  if (error instanceof Error && "path" in error && typeof error.path === "string") path = error.path;
  if (errno === "ENOENT") {
    return new StoreError("MLP4006", `could not ${doing} ${shown(path)}: it does not exist`, {
      path,
      errno,
      cause: error,
    });
  }
  return new StoreError("MLP4005", `could not ${doing} ${shown(path)}: ${errno}`, {
    path,
    errno,
    hint: hints[errno],
    cause: error,
  });
}

/** A path as it is put into messages: quoted once it holds anything a terminal or a reader could stumble over. */
export function shown(path: string): string {
  return /^[\p{L}\p{N}\p{M}\p{P}\p{S} ]+$/u.test(path) ? path : JSON.stringify(path);
}
