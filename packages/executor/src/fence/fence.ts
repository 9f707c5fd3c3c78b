/** The fence of this machine: what keeps a step, and all it starts, to what it declares. */
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import type { Bounds } from "./bounds.ts";
import { look } from "./look.ts";
import { pythonFile } from "./python-folder.ts";

/**
 * How a step was kept to what it declares: by the kernel (`landlock`, `bubblewrap`), by Node's
 * permission model alone, which is partial, or not at all.
 */
export type Sandbox = "landlock" | "bubblewrap" | "permission" | "none";

/** What starts programs behind a fence. */
export interface Fence {
  readonly sandbox: Exclude<Sandbox, "none">;
  /**
   * The arguments that start a program within bounds.
   * @param file a place for what the fence is told, in a folder that the program may write to
   */
  start(argv: readonly string[], bounds: Bounds, file: string, cwd: string): readonly string[];
}

/** Node's permission model is all there is: it knows nothing of other programs. */
const permissionAlone: Fence = { sandbox: "permission", start: (argv) => argv };

/**
 * The best fence there is. Looked for once a run: it takes the start of a process.
 * @param env of mlpipe; `MLPIPE_FENCE` names the one to use, for those who compare them
 */
export function findFence(env: NodeJS.ProcessEnv): Fence {
  const wanted = env["MLPIPE_FENCE"];
  const fences: Readonly<Record<string, () => Fence | undefined>> = {
    landlock: () => landlock(env),
    bubblewrap: () => bubblewrap(env),
  };
  if (process.platform === "linux") {
    for (const [name, find] of Object.entries(fences)) {
      const fence = wanted === undefined || wanted === name ? find() : undefined;
      if (fence !== undefined) return fence;
    }
  }
  return permissionAlone;
}

/** Node cannot make the calls itself; a Python makes them and becomes the program. */
function landlock(env: NodeJS.ProcessEnv): Fence | undefined {
  const launcher = pythonFile("fence.py");
  if (launcher === undefined) return undefined;
  // Neither the user's environment nor what is installed there has a say in the launcher.
  const flags = ["-I", "-S", "-B", launcher];
  for (const python of pythons(env)) {
    const { status, stdout } = spawnSync(python, [...flags, "--probe"], {
      encoding: "utf8",
      timeout: 10_000,
    });
    if (status !== 0 || !(Number(stdout) >= 1)) continue;
    return {
      sandbox: "landlock",
      start: (argv, { read, list, write }, file) => {
        writeFileSync(file, JSON.stringify({ read: [...read], list: [...list], write: [...write] }), {
          mode: 0o600,
        });
        return [python, ...flags, file, ...argv];
      },
    };
  }
  return undefined;
}

/** The system's own first, and stubs of version managers, which take their time, last. */
function pythons({ PATH: path }: NodeJS.ProcessEnv): readonly string[] {
  const folders = ["/usr/bin", ...(path ?? "").split(delimiter).filter((folder) => folder.startsWith("/"))];
  const isStub = (folder: string): number => Number(basename(folder) === "shims");
  return [...new Set(folders)]
    .toSorted((a, b) => isStub(a) - isStub(b))
    .map((folder) => join(folder, "python3"))
    .filter((file) => existsSync(file));
}

function bubblewrap(env: NodeJS.ProcessEnv): Fence | undefined {
  const program = (env["PATH"] ?? "/usr/bin")
    .split(delimiter)
    .map((folder) => join(folder, "bwrap"))
    .find((file) => file.startsWith("/") && existsSync(file));
  if (program === undefined) return undefined;
  const walls = wallsOf(process.getuid?.() === 0).find(
    (flags) =>
      spawnSync(program, ["--ro-bind", "/", "/", ...flags, "true"], { timeout: 10_000 }).status === 0,
  );
  if (walls === undefined) return undefined;
  return {
    sandbox: "bubblewrap",
    start: (argv, bounds, _file, cwd) => [
      program,
      ...mounts(bounds, cwd),
      ...walls,
      "--remount-ro",
      "/",
      "--chdir",
      cwd,
      "--",
      ...argv,
    ],
  };
}

/**
 * What keeps a step from climbing over the mounts, the best first: `/proc` shows the root of every process that one may
 * look into, so it has to show those of the step alone. Where no `/proc` can be mounted, as in some containers, the
 * common one serves an ordinary user, whom the kernel lets look into nobody else; a superuser it would let out.
 */
function wallsOf(isSuperuser: boolean): readonly (readonly string[])[] {
  const own = ["--unshare-pid", "--proc", "/proc"];
  if (!isSuperuser) return [own, ["--ro-bind", "/proc", "/proc"]];
  // To be root over files is what its programs expect; mounts, devices and other processes are the way out.
  const kept = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETUID", "SETGID", "KILL"];
  return [[...own, "--cap-drop", "ALL", ...kept.flatMap((name) => ["--cap-add", `CAP_${name}`])]];
}

/** What is granted is mounted into an empty root, in which nothing else is. */
function mounts({ read, write, list, links }: Bounds, cwd: string): readonly string[] {
  const args: string[] = [];
  // Outer folders first, or they would hide what was mounted below them.
  const places = [
    ...[...read].filter((path) => path !== "/proc").map((path) => ["--ro-bind", path]),
    ...[...write].map((path) => ["--bind", path]),
  ];
  for (const [how = "", path = ""] of places.toSorted(([, a = ""], [, b = ""]) => a.length - b.length)) {
    args.push(path.startsWith("/dev/") ? "--dev-bind-try" : `${how}-try`, path, path);
  }
  const mounted = new Set([...read, ...write]);
  for (const [path, target] of links) {
    // Inside of what is mounted the link is there already.
    if (!isBelow(path, mounted)) args.push("--symlink", target, path);
  }
  for (const folder of [...list, cwd])
    if (!mounted.has(folder) && !isBelow(folder, mounted)) args.push("--dir", folder);
  return args;
}

function isBelow(path: string, places: ReadonlySet<string>): boolean {
  for (let at = dirname(path); at !== dirname(at); at = dirname(at)) if (places.has(at)) return true;
  return false;
}

/** Whether a program is there to be started, looked for as `execvp` does. */
export function isThere(program: string, path: string | undefined, cwd: string): boolean {
  const places = program.includes("/")
    ? [join(program.startsWith("/") ? "" : cwd, program)]
    : (path ?? "/bin:/usr/bin").split(delimiter).map((folder) => join(folder, program));
  return places.some((place) => look(place)?.isFile() === true);
}
