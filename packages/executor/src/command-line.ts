/** The arguments of a command, once its inputs are there. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CommandPart } from "@mlpipe/dsl";
import type { PreparedInput } from "./attempt-folder.ts";

/** What the places in a command stand for. */
export interface CommandPlaces {
  readonly root: string;
  readonly inputs: Readonly<Record<string, PreparedInput>>;
  /** By port, relative to the project's root. */
  readonly outputs: Readonly<Record<string, string>>;
  readonly target: string | undefined;
}

/**
 * The argument vector of a command. A port that is an argument of its own may become several (a
 * `many`); nothing is split, quoted or expanded.
 */
export function commandLine(
  argv: readonly (readonly CommandPart[])[],
  places: CommandPlaces,
): readonly string[] {
  return argv.flatMap((parts) => {
    const [only] = parts;
    if (parts.length === 1 && typeof only === "object" && "input" in only) {
      return textsOf(places.inputs[only.input], places.root);
    }
    return [parts.map((part) => textOf(part, places)).join("")];
  });
}

function textOf(part: CommandPart, { root, inputs, outputs, target }: CommandPlaces): string {
  if (typeof part === "string") return part;
  if ("input" in part) return textsOf(inputs[part.input], root).join(",");
  if ("output" in part) return outputs[part.output] ?? "";
  return target ?? "";
}

function textsOf(input: PreparedInput | undefined, root: string): readonly string[] {
  switch (input?.type) {
    case undefined:
    case "absent":
      return [""];
    case "value":
      return [valueText(input.value)];
    case "path": {
      const isValue = input.kind.kind === "value" || input.kind.kind === "seed";
      // A value that another step made is a file in the store; a command is given its text.
      return [isValue ? valueText(JSON.parse(readFileSync(join(root, input.path), "utf8"))) : input.path];
    }
    case "many":
      return input.items.flatMap(({ input: item }) => textsOf(item, root));
  }
}

function valueText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
