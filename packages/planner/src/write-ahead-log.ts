/**
 * Databases that are one file and, while somebody has them open, another: what was committed lies in a log beside the
 * file until it is carried over. Whoever opens the database reads both, so the file's digest does not say what a step
 * sees.
 */
import { realpathSync, statSync } from "node:fs";

/** SQLite under its usual names, its geographic packages among them, and DuckDB. */
const database = /\.(?:db3?|sqlite3?|s3db|sl3|gpkg|mbtiles|duckdb|ddb)$/i;

/** The log with changes that a database does not hold itself, as SQLite or DuckDB name it; nothing where there is none. */
export function logBeside(path: string): string | undefined {
  if (!database.test(path)) return undefined;
  // It lies where the file really is.
  const real = realpathSync(path);
  return [`${real}-wal`, `${real}.wal`].find(
    (log) => (statSync(log, { throwIfNoEntry: false })?.size ?? 0) > 0,
  );
}
