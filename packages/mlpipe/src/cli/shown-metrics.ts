/** Which metrics of a run are shown where there are more than anybody reads. */

/** Those of the first steps that are no children of a fan-out, whose metrics are joined by a step after them; else the first. */
export function mostTelling<T extends { readonly step: string }>(
  metrics: readonly T[],
  most: number,
): readonly T[] {
  if (metrics.length <= most) return metrics;
  const own = metrics.filter(({ step }) => !step.endsWith("]"));
  return (own.length > 0 ? own : metrics).slice(0, most);
}
