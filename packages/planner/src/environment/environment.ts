/**
 * The environment of a step: what it can see is keyed or fixed. All that is neither is invisible,
 * so that a result never depends on a variable that nobody declared.
 */

/** What runs a step. */
export type StepLanguage = "typescript" | "python" | "command";

/** A variable as the key and the record hold it. A secret's value is in neither. */
export type VariableDocument =
  | { readonly value: string }
  | { readonly secret: true; readonly set: boolean }
  | { readonly unset: true };

/** The environment part of a key. */
export interface EnvironmentDocument {
  readonly platform: string;
  readonly arch: string;
  /** Node's major version, of TypeScript steps. */
  readonly node?: string;
  /** Of TypeScript steps, the conditions that Node was given. Which file of a package they choose is in no version. */
  readonly conditions?: readonly string[];
  readonly python?: { readonly implementation: string; readonly version: string };
  /** Digest of each program that a command starts, by name. */
  readonly tools?: Readonly<Record<string, string>>;
  readonly variables: Readonly<Record<string, VariableDocument>>;
}

/** A step, as far as its environment goes. */
export interface EnvironmentQuestion {
  readonly language: StepLanguage;
  readonly env: readonly { readonly name: string; readonly secret: boolean }[];
  /** @default none */
  readonly conditions?: readonly string[];
  /** What a command was found to start; its identity by `CommandCode` has this shape. */
  readonly tool?: {
    readonly tool?: { readonly name: string; readonly digest: string } | null;
    readonly tools?: Readonly<Record<string, { readonly name: string; readonly digest: string }>>;
    readonly python?: { readonly implementation: string; readonly version: string } | null;
  } | null;
}

/**
 * Visible and not keyed: where things lie, not what they are. `PATH` is keyed through the programs
 * found by it. `SHELL`, `VIRTUAL_ENV`, `LD_LIBRARY_PATH`, `PYTHONPATH` and the like are not here:
 * what decides which code runs is declared or does not exist.
 */
const plumbing = ["PATH", "HOME", "TMPDIR", "USER", "LOGNAME"];

/** The same for every step, so they need not be keyed; a step that declares one sees the user's. */
const fixed: Readonly<Record<string, string>> = {
  // Days begin and texts sort alike on every machine. LC_ALL would override LANG and stays unset.
  TZ: "UTC",
  LANG: "C.UTF-8",
  // The order of a Python set of strings is random from process to process otherwise.
  PYTHONHASHSEED: "0",
  // A __pycache__ beside the sources is a write outside of the attempt's folder.
  PYTHONDONTWRITEBYTECODE: "1",
  // Python holds back what it prints to a pipe: a live log would come in blocks, a killed step's never.
  PYTHONUNBUFFERED: "1",
};

/** What a step sees that declares nothing. */
export function plumbingOf(env: NodeJS.ProcessEnv): Record<string, string> {
  const visible: Record<string, string> = { ...fixed };
  for (const name of plumbing) {
    const value = env[name];
    if (value !== undefined) visible[name] = value;
  }
  return visible;
}

/**
 * The environment part of a step's key, and the environment of its process.
 *
 * @param env the environment that mlpipe itself was started in
 */
export function environmentOf(
  step: EnvironmentQuestion,
  env: NodeJS.ProcessEnv,
): { readonly document: EnvironmentDocument; readonly childEnv: Record<string, string> } {
  const childEnv = plumbingOf(env);
  const variables: Record<string, VariableDocument> = {};
  // Declared twice, once as a secret: then it is one.
  for (const { name, secret } of step.env.toSorted((a, b) => Number(a.secret) - Number(b.secret))) {
    const value = env[name];
    // A fixed one that is declared and not set stays fixed: without TZ the machine's own zone would show.
    if (value !== undefined) childEnv[name] = value;
    if (secret) variables[name] = { secret: true, set: value !== undefined };
    else variables[name] = value === undefined ? { unset: true } : { value };
  }
  return {
    document: {
      platform: process.platform,
      arch: process.arch,
      ...(step.language === "typescript" && { node: process.versions.node.split(".", 1)[0] ?? "" }),
      ...(step.conditions !== undefined &&
        step.conditions.length > 0 && { conditions: [...step.conditions] }),
      ...(step.tool?.python && {
        python: { implementation: step.tool.python.implementation, version: step.tool.python.version },
      }),
      ...toolsOf(step.tool),
      variables,
    },
    childEnv,
  };
}

function toolsOf(tool: EnvironmentQuestion["tool"]): { readonly tools?: Readonly<Record<string, string>> } {
  const every = { ...tool?.tools };
  if (tool?.tool) every[tool.tool.name] = tool.tool;
  const digests = Object.fromEntries(Object.values(every).map(({ name, digest }) => [name, digest]));
  return Object.keys(digests).length === 0 ? {} : { tools: digests };
}
