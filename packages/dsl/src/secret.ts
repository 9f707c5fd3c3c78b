/** An environment variable whose value is never keyed, recorded or logged. */
export interface Secret {
  readonly secret: string;
}

/** Shorter values would blot out half of every text, and are no secrets. */
const shortest = 4;

/**
 * The values of the secrets that steps declare: what must not be kept or shown, whichever step says it.
 * @param env the environment of mlpipe
 */
export function secretsOf(
  steps: readonly { readonly env: readonly { readonly name: string; readonly secret: boolean }[] }[],
  env: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const values = steps.flatMap((step) =>
    step.env.flatMap(({ name, secret: isSecret }) => (isSecret ? [env[name] ?? ""] : [])),
  );
  return [...new Set(values)].filter(({ length }) => length >= shortest);
}

/**
 * Declares that a step needs a secret from the environment: the step sees its value, and the
 * key of the step holds its name only, so rotating it re-runs nothing.
 *
 * @param name of the environment variable
 */
export function secret(name: string): Secret {
  return Object.freeze({ secret: name });
}
