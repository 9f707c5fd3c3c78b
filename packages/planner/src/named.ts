import type { ManifestStep } from "@mlpipe/dsl";

/**
 * Whether steps that were named before all were known have this one among them: a child of a fan-out
 * also goes by the step that it was made of (`fit[*]`), and by the child that it is in (`fit[a]`).
 */
export function isNamed(names: ReadonlySet<string>, { id, template }: ManifestStep): boolean {
  if (names.has(id)) return true;
  if (template === undefined) return false;
  if (names.has(template)) return true;
  // Of `fit[a][b]`: `fit[a]`, and what stands for all in it, `fit[a][*]`.
  for (let end = id.indexOf("]") + 1; end > 0 && end < id.length; end = id.indexOf("]", end) + 1) {
    const outer = id.slice(0, end);
    if (names.has(outer) || names.has(outer + id.slice(end).replaceAll(/\[[^\]]*\]/g, "[*]"))) return true;
  }
  return false;
}
