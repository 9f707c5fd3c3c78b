/** A time as records have it: ISO 8601 in UTC, milliseconds, `+00:00`. */
export function timestamp(date: Date = new Date()): string {
  return date.toISOString().replace("Z", "+00:00");
}
