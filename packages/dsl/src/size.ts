/** An amount of memory: a number with a unit, `"512MB"`, `"8GB"` (powers of 1000), `"8GiB"` (powers of 1024). */
export type Size = `${number}${"B" | "KB" | "MB" | "GB" | "TB" | "KiB" | "MiB" | "GiB" | "TiB"}`;

const bytes: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** Bytes of a size, or nothing if it is not one. */
export function parseSize(size: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([KMGT]?i?B)$/.exec(size);
  const factor = bytes[match?.[2] ?? ""];
  return match === null || factor === undefined ? undefined : Math.round(Number(match[1]) * factor);
}
