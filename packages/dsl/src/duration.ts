/** A length of time: milliseconds, or a number with a unit: `"500ms"`, `"90s"`, `"15m"`, `"2h"`, `"1d"`. */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

const milliseconds: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds of a duration, or nothing if it is not one. */
export function parseDuration(duration: Duration): number | undefined {
  if (typeof duration === "number") return duration >= 0 && Number.isFinite(duration) ? duration : undefined;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(duration);
  const factor = milliseconds[match?.[2] ?? ""];
  return match === null || factor === undefined ? undefined : Number(match[1]) * factor;
}
