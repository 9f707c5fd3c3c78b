/** Texts of `dvc.yaml` with `${…}` in them, and the variables that these stand for. */
import { MlpipeError, type Site } from "@mlpipe/dsl";
import { isMapping } from "./yaml-file.ts";

/** Where the value of a variable comes from. */
export type Origin =
  /** A params file, relative to the project's root. */
  | { readonly type: "params"; readonly file: string }
  /** Written in `dvc.yaml`, under `vars`. */
  | { readonly type: "vars" }
  /** The item or the key of a `foreach` or `matrix`. */
  | { readonly type: "item" };

/** A variable in a text. */
export interface Variable {
  /** As it is written: `item.lr`. */
  readonly name: string;
  readonly path: readonly string[];
  readonly value: unknown;
  readonly origin: Origin;
}

/** A text in pieces. */
export type Text = readonly (string | Variable)[];

/** Values by name from one origin. */
export interface Layer {
  readonly origin: Origin;
  readonly values: Readonly<Record<string, unknown>>;
}

/** The variables that a template may name; what comes first counts. */
export class Variables {
  readonly #layers: readonly Layer[];

  constructor(layers: readonly Layer[]) {
    this.#layers = layers;
  }

  /** The same with others before them. */
  with(layers: readonly Layer[]): Variables {
    return new Variables([...layers, ...this.#layers]);
  }

  /** The same with others after them. */
  and(layers: readonly Layer[]): Variables {
    return new Variables([...this.#layers, ...layers]);
  }

  /** @throws MlpipeError MLP6203 for a variable that nothing has */
  find(name: string, at: Site): Variable {
    const path = name
      .trim()
      .split(/[.[\]]+/)
      .filter((part) => part !== "");
    for (const { origin, values } of this.#layers) {
      const value = valueAt(values, path);
      if (value !== undefined) return { name: name.trim(), path, value, origin };
    }
    const known = [...new Set(this.#layers.flatMap(({ values }) => Object.keys(values)))];
    throw new MlpipeError("MLP6203", `\${${name}} names a variable that is not there.`, {
      at,
      hint:
        known.length === 0
          ? "There is no params.yaml, and no vars."
          : `There are: ${known.slice(0, 20).join(", ")}.`,
    });
  }

  /** A text with its variables found. */
  text(source: string, at: Site): Text {
    const pieces: (string | Variable)[] = [];
    let end = 0;
    for (const match of source.matchAll(/(\\?)\$\{([^}]*)\}/g)) {
      const [whole, escape, name = ""] = match;
      pieces.push(source.slice(end, match.index));
      // A backslash keeps it for the shell.
      pieces.push(escape === "" ? this.find(name, at) : whole.slice(1));
      end = match.index + whole.length;
    }
    pieces.push(source.slice(end));
    return joined(pieces);
  }
}

/** What lies at a path of names and indices. */
export function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  let at = value;
  for (const part of path) {
    if (Array.isArray(at)) at = at[Number(part)] as unknown;
    else if (isMapping(at) && Object.hasOwn(at, part)) at = at[part];
    else return undefined;
  }
  return at;
}

/** The text that DVC would make of it today. */
export function resolved(text: Text): string {
  return text.map((piece) => (typeof piece === "string" ? piece : textOf(piece.value))).join("");
}

/** The text as it was written, for people. */
export function written(text: Text): string {
  return text.map((piece) => (typeof piece === "string" ? piece : `\${${piece.name}}`)).join("");
}

/** A value as DVC writes it into a text. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The same text with the variables of some origins written out. */
export function settled(text: Text, origins: readonly Origin["type"][]): Text {
  return joined(
    text.map((piece) =>
      typeof piece !== "string" && origins.includes(piece.origin.type) ? textOf(piece.value) : piece,
    ),
  );
}

/** Pieces with neighbouring strings made one. */
export function joined(pieces: readonly (string | Variable)[]): Text {
  const result: (string | Variable)[] = [];
  for (const piece of pieces) {
    const last = result.at(-1);
    if (typeof piece === "string" && typeof last === "string") result[result.length - 1] = last + piece;
    else if (piece !== "") result.push(piece);
  }
  return result;
}
