import { type NamedPath, pathsNamedIn } from "./named-paths.ts";
import { packageOfProgram } from "./node-package.ts";
import { findProgram, shebangOf } from "./tool.ts";

/**
 * What was looked up on the disk in one planning session: a thousand steps start the same few
 * programs and share their options.
 */
export class Lookups {
  readonly #root: string;
  readonly #programs = new Map<string, string | undefined>();
  readonly #shebangs = new Map<string, readonly string[]>();
  readonly #packages = new Map<string, string | undefined>();
  readonly #named = new Map<string, readonly NamedPath[]>();

  /** @param root where commands run */
  constructor(root: string) {
    this.#root = root;
  }

  /** {@link findProgram} from the project's root. */
  program(name: string, path: string | undefined): string | undefined {
    return remembered(this.#programs, `${name}\0${path ?? ""}`, () => findProgram(name, path, this.#root));
  }

  /** {@link shebangOf} without `env`. */
  shebang(file: string): readonly string[] {
    return remembered(this.#shebangs, file, () => {
      const words = shebangOf(file);
      return /(?:^|\/)env$/.test(words[0] ?? "") ? words.slice(1).filter((word) => word !== "-S") : words;
    });
  }

  /** {@link packageOfProgram}. */
  packageOf(program: string): string | undefined {
    return remembered(this.#packages, program, () => packageOfProgram(program));
  }

  /** {@link pathsNamedIn}. */
  named(argument: string): readonly NamedPath[] {
    return remembered(this.#named, argument, () => pathsNamedIn(argument, this.#root));
  }
}

function remembered<Value>(known: Map<string, Value>, key: string, find: () => Value): Value {
  const value = known.get(key);
  if (value !== undefined || known.has(key)) return value as Value; // it was put in as one
  const found = find();
  known.set(key, found);
  return found;
}
