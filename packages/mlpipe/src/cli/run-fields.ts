/** The fields of a run that it is chosen, sorted and shown by. */
import { MlpipeError } from "@mlpipe/dsl";
import type { Run } from "@mlpipe/provenance";

/** A run with what was said of it. */
export interface ListedRun {
  readonly run: Run;
  readonly tags: readonly string[];
  readonly notes: readonly { readonly text: string; readonly at: string; readonly by: string }[];
}

type Field = string | number | boolean | null | undefined;

const plainFields: Readonly<Record<string, (listed: ListedRun) => Field>> = {
  run: ({ run }) => run.id,
  pipeline: ({ run }) => run.pipeline.name,
  status: ({ run }) => run.status,
  started: ({ run }) => run.startedAt,
  ended: ({ run }) => run.endedAt,
  /** Seconds. */
  duration: ({ run }) => (run.durationMs === null ? null : run.durationMs / 1000),
  user: ({ run }) => run.by.user,
  host: ({ run }) => run.by.host,
  trigger: ({ run }) => run.trigger.kind,
  commit: ({ run }) => run.git?.commit,
  branch: ({ run }) => run.git?.ref?.replace("refs/heads/", ""),
  dirty: ({ run }) => (run.git === null ? undefined : run.git.dirty !== null),
  tags: ({ tags }) => tags.join(" "),
  note: ({ notes }) => notes.at(-1)?.text,
};

/** The names of fields, for messages. */
export const fieldNames = [...Object.keys(plainFields), "metrics.NAME", "metrics.STEP.NAME", "params.NAME"];

/**
 * The values of a field: a metric's name may be that of several steps.
 * @throws MlpipeError MLP6010 for a field that no run has
 */
export function fieldValues(listed: ListedRun, name: string): readonly Field[] {
  const plain = Object.hasOwn(plainFields, name) ? plainFields[name] : undefined;
  if (plain !== undefined) return [plain(listed)];
  const [kind, ...rest] = name.split(".");
  const inner = rest.join(".");
  if (kind === "metrics" && inner !== "") return metricsOf(listed.run, inner);
  if (kind === "params" && inner !== "") return [paramOf(listed.run.params, rest)];
  throw new MlpipeError("MLP6010", `Runs have no field ${name}.`, {
    hint: `There is: ${fieldNames.join(", ")}.`,
  });
}

/** Metrics by `mae` or `score.mae`. */
function metricsOf({ steps }: Run, name: string): readonly number[] {
  return steps.flatMap(({ id, metrics = {} }) =>
    Object.entries(metrics).flatMap(([metric, value]) =>
      metric === name || `${id}.${metric}` === name ? [value] : [],
    ),
  );
}

function paramOf(params: unknown, path: readonly string[]): Field {
  let value = params;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    // An object that has it.
    value = (value as Record<string, unknown>)[name];
  }
  if (typeof value === "object" && value !== null) return JSON.stringify(value);
  // What is left of JSON.
  return value as Field;
}

/** Whether a run is one of those that are asked for. */
export type Condition = (listed: ListedRun) => boolean;

const comparisons: Readonly<Record<string, (order: number) => boolean>> = {
  "=": (order) => order === 0,
  "==": (order) => order === 0,
  "!=": (order) => order !== 0,
  "<": (order) => order < 0,
  "<=": (order) => order <= 0,
  ">": (order) => order > 0,
  ">=": (order) => order >= 0,
};

/**
 * `metrics.mae<50`, `params.trees>=100`, `branch=main`. A run without the field is not among them.
 * @throws MlpipeError MLP6010 for what is no condition
 */
export function conditionOf(text: string): Condition {
  const [, name = "", sign = "", wanted = ""] = comparison.exec(text) ?? [];
  const holds = comparisons[sign];
  if (holds === undefined || wanted === "") {
    throw new MlpipeError("MLP6010", `${text} is no condition.`, {
      hint: "Write FIELD, a comparison and a value: --where 'metrics.mae<50' --where branch=main",
    });
  }
  return (listed) =>
    fieldValues(listed, name).some((value) => {
      if (value === undefined || value === null) return false;
      const order = compareFields(value, typeof value === "number" ? Number(wanted) : wanted);
      return !Number.isNaN(order) && holds(order);
    });
}

const comparison = /^\s*([^<>=!]+?)\s*(<=|>=|!=|==|=|<|>)\s*(.*?)\s*$/;

/** Of the fields that conditions and an order name, those that none of the runs has: a misspelt one, as a rule. */
export function fieldsInVain(
  listed: readonly ListedRun[],
  { where = [], sort }: { readonly where?: readonly string[]; readonly sort?: string },
): readonly string[] {
  const named = [...where.map((text) => comparison.exec(text)?.[1] ?? ""), sort ?? ""];
  return [...new Set(named)].filter(
    (name) =>
      /^(?:metrics|params)\./.test(name) &&
      listed.every((each) => fieldValues(each, name).every((value) => value === undefined)),
  );
}

/** Numbers by size, everything else as text; NaN for a number and what is none. */
export function compareFields(a: Field, b: Field): number {
  if (typeof a === "number" || typeof b === "number") return Number(a) - Number(b);
  const [left, right] = [String(a), String(b)];
  return left === right ? 0 : left < right ? -1 : 1;
}

const units: Readonly<Record<string, number>> = { m: 60e3, h: 3600e3, d: 86_400e3, w: 604_800e3 };

/**
 * The beginning of a time: `7d` ago, or a date.
 * @throws MlpipeError MLP6010 for what is neither
 */
export function sinceOf(text: string, now = Date.now()): Condition {
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)([mhdw])$/.exec(text) ?? [];
  // A date alone is that day's beginning here, not in Greenwich.
  const date = /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00` : text;
  const since = amount === undefined ? Date.parse(date) : now - Number(amount) * (units[unit] ?? NaN);
  if (Number.isNaN(since)) {
    throw new MlpipeError("MLP6010", `--since takes an age or a date, and was given ${text}.`, {
      hint: "--since 7d, --since 12h, --since 2026-11-01",
    });
  }
  return ({ run }) => Date.parse(run.startedAt) >= since;
}
