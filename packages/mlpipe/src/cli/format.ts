/** Numbers and times as people read them. */

/** `0.4 s`, `12.3 s`, `2 m 05 s`, `1 h 02 m`. */
export function duration(ms: number): string {
  if (ms < 999.5) return ms < 10 ? "0.0 s" : `${(ms / 1000).toFixed(1)} s`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${String(seconds % 60).padStart(2, "0")} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} m`;
}

/** `812 B`, `3.4 KiB`, `1.2 GiB`. */
export function bytes(count: number): string {
  let value = count;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (value < 1024) return unit === "B" ? `${value} B` : `${value.toFixed(1)} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)} TiB`;
}

/** A metric's value: enough digits to compare runs by, none that only noise fills. */
export function metric(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return String(Number(value.toPrecision(5)));
}

/** `2026-11-24 08:15:02` in local time, from an ISO timestamp. */
export function localTime(timestamp: string): string {
  const date = new Date(timestamp);
  const pad = (part: number): string => String(part).padStart(2, "0");
  return (
    `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ` +
    `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`
  );
}

/** The beginning of an id that tells runs apart: the time in it, and some of its randomness. */
export function shortId(id: string): string {
  return id.slice(0, 18);
}

/** `1 step`, `3 steps`. */
export function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}

/** A word as a shell takes it for one argument, in a command that is shown to be copied. */
export function asArgument(word: string): string {
  return /^[\w./@%+=:,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
