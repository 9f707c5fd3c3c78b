/** Which runs to keep. Each rule that is given must let a run go before it goes; with none all stay. */
export interface Retention {
  /** Of each pipeline the last so many that succeeded, and everything since. */
  readonly keepLast?: number;
  /** Runs that ended less than this ago, in milliseconds. */
  readonly olderThanMs?: number;
}

/** What a rule looks at. */
export interface RunAge {
  readonly id: string;
  readonly pipeline: string;
  readonly status: string;
  readonly startedAt: string;
  readonly endedAt: string | null;
}

/**
 * The runs that the rules let go.
 *
 * @param runs newest first
 */
export function runsToDrop(runs: readonly RunAge[], retention: Retention, now: number): ReadonlySet<string> {
  const { keepLast, olderThanMs } = retention;
  const dropped = new Set<string>();
  if (keepLast === undefined && olderThanMs === undefined) return dropped;
  const succeeded = new Map<string, number>();
  for (const { id, pipeline, status, startedAt, endedAt } of runs) {
    const before = succeeded.get(pipeline) ?? 0;
    if (status === "succeeded") succeeded.set(pipeline, before + 1);
    if (keepLast !== undefined && before < keepLast) continue;
    // A run that crashed has no end; when it began will do.
    if (olderThanMs !== undefined && !(now - Date.parse(endedAt ?? startedAt) > olderThanMs)) continue;
    dropped.add(id);
  }
  return dropped;
}
