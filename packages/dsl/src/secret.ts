/** An environment variable whose value is never keyed, recorded or logged. */
export interface Secret {
  readonly secret: string;
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
