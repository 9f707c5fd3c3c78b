/** The command line as somebody to whom not everything is open: to a superuser everything is. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { type Finished, finished, mlpipe, type Project } from "./project.ts";

/** Numbers that mean nobody, on every Linux. */
const nobody = { uid: "65534", gid: "65534" };

const isSuperuser = process.getuid?.() === 0;

/** Whoever runs the tests is one already, or can start processes of one. */
export const canBeOrdinary = !isSuperuser || spawnSync("setpriv", ["--version"]).status === 0;

/** Gives a project, and all that is in it, to the user of `asOrdinary`. */
export function giveToOrdinary({ root }: Project): void {
  if (isSuperuser) spawnSync("chown", ["-R", `${nobody.uid}:${nobody.gid}`, root]);
}

/** What a command line begins with to be that of an ordinary user. */
export const becomeOrdinary: readonly string[] = isSuperuser
  ? ["setpriv", `--reuid=${nobody.uid}`, `--regid=${nobody.gid}`, "--clear-groups"]
  : [];

/** Starts a command and leaves it running. */
export function startAsOrdinary(project: Project, ...args: readonly string[]): ChildProcess {
  const [program = "", ...words] = [...becomeOrdinary, process.execPath, mlpipe, ...args];
  return spawn(program, words, {
    cwd: project.root,
    env: { ...process.env, HOME: project.root, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Runs a command to its end. */
export async function asOrdinary(project: Project, ...args: readonly string[]): Promise<Finished> {
  return finished(startAsOrdinary(project, ...args));
}
