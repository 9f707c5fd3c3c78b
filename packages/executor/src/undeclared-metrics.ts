/** So many are named. */
const mostNamed = 8;

/**
 * Metrics that a step gave and does not declare: what is wrong with them, and what to do.
 * @param names at least one
 */
export function undeclaredMetrics(names: readonly string[]): {
  readonly what: string;
  readonly hint: string;
} {
  const named = names.slice(0, mostNamed).join(", ");
  const more = names.length > mostNamed ? ` and ${names.length - mostNamed} more` : "";
  const [first = ""] = names;
  const [what, each] = names.length === 1 ? ["metric", "it"] : ["metrics", "each"];
  return {
    what: `has the ${what} ${named}${more}, and does not declare ${names.length === 1 ? "it" : "them"}`,
    hint: `Declare ${each} with what is better, "min" or "max": metrics({ …, ${propertyName(first)}: "max" }).`,
  };
}

function propertyName(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}
