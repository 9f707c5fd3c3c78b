import type { z } from "zod";
import type { Rate } from "./month.ts";

type Row = z.infer<typeof Rate>;

/** The rate of each month with that of the same month a year later. */
export function pairs(rows: readonly Row[]): readonly { readonly now: number; readonly later: number }[] {
  const at = new Map(rows.map(({ year, month, rate }) => [`${year}-${month}`, rate]));
  return rows.flatMap(({ year, month, rate }) => {
    const later = at.get(`${year + 1}-${month}`);
    return later === undefined ? [] : [{ now: rate, later }];
  });
}
