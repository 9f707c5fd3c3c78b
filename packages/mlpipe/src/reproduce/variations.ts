/** What can be varied between two executions of a step, beyond what always is: the folder and the time. */

/** Names of variations, as `--vary` takes them. */
export const variations = ["tz", "locale", "cpus", "hashseed", "umask"] as const;

export type Variation = (typeof variations)[number];

/** The variables of the second execution. */
export function variedEnvironment(varied: readonly Variation[]): Readonly<Record<string, string>> {
  const env: Record<string, string> = {};
  for (const each of varied) Object.assign(env, variables[each]);
  return env;
}

const oneThread = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"];

const variables: Readonly<Record<Variation, Readonly<Record<string, string>>>> = {
  tz: { TZ: "Pacific/Kiritimati" },
  locale: { LANG: "tr_TR.UTF-8", LC_ALL: "tr_TR.UTF-8" },
  cpus: Object.fromEntries(oneThread.map((name) => [name, "1"])),
  hashseed: { PYTHONHASHSEED: "4242" },
  umask: {},
};

/** The umask of the second execution. */
export const variedUmask = 0o077;
