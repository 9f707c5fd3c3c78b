import { MlpipeError } from "./errors.ts";
import type { CommandPart } from "./manifest.ts";
import { callSite } from "./site.ts";

const placeMark = Symbol.for("mlpipe.place");

/**
 * The place of a port in a command. While the pipeline is built it has no content; when the step
 * runs it becomes the path of an artifact or the text of a value.
 */
export interface Place {
  readonly [placeMark]: CommandPart;
}

/** Ports of a command by name. */
export type Places<Ports> = { readonly [Name in keyof Ports]: Place };

/** What may stand in a command: text, a number, the place of a port, or several of these as arguments of their own. */
export type Argument = string | number | Place | readonly Argument[];

const commandMark = Symbol.for("mlpipe.command");

/** A program with its arguments. It is started as it is, never through a shell. */
export interface Command {
  readonly [commandMark]: true;
  /** Each argument a sequence of parts, joined without a space. */
  readonly argv: readonly (readonly CommandPart[])[];
}

/**
 * A command as a template: `` cmd`python fit.py --data ${i.days} --out=${o.model}` ``. White space
 * separates arguments, quotes keep it; what is interpolated is never split and never reaches a
 * shell. An array becomes one argument for each of its items.
 *
 * @throws MlpipeError MLP1010 for an empty command, a quote that is not closed, or a word that means something to a shell
 */
export function cmd(template: TemplateStringsArray, ...values: readonly Argument[]): Command {
  const argv: CommandPart[][] = [];
  let current: CommandPart[] | undefined;
  let quote: string | undefined;
  /** Whether something of the argument was quoted or given as a text: then it is meant as it stands. */
  let isMeant = false;

  const append = (part: CommandPart): void => {
    current ??= [];
    const last = current.at(-1);
    if (typeof part === "string" && typeof last === "string") current[current.length - 1] = last + part;
    else current.push(part);
  };
  const finish = (): void => {
    if (current !== undefined) {
      if (!isMeant) refuseShellWord(current);
      argv.push(current);
    }
    current = undefined;
    isMeant = false;
  };

  template.forEach((text, index) => {
    for (const character of text) {
      if (quote !== undefined) {
        if (character === quote) quote = undefined;
        else append(character);
      } else if (character === '"' || character === "'") {
        quote = character;
        isMeant = true;
        append("");
      } else if (/\s/.test(character)) {
        finish();
      } else {
        append(character);
      }
    }
    const value = values[index];
    if (index < values.length && value !== undefined) {
      if (isList(value)) {
        finish();
        argv.push(...partsOf(value));
      } else {
        if (typeof value === "string") isMeant = true;
        append(toPart(value));
      }
    }
  });
  finish();

  if (quote !== undefined) {
    throw new MlpipeError("MLP1010", `A command has a ${quote} that is never closed.`, { at: callSite() });
  }
  if (argv.length === 0) {
    throw new MlpipeError("MLP1010", "A command is empty.", {
      at: callSite(),
      hint: "Write the program and its arguments: cmd`python fit.py --out ${o.model}`.",
    });
  }
  return Object.freeze({ [commandMark]: true as const, argv });
}

/** What joins programs, and what leads what they say elsewhere. */
const joins = /^(?:&&|\|\|?)$/;
const redirects = /^(?:[012&]?>>?|<)(?:&[12]|\/dev\/null)?$/;

/** A program that is given `&&` does its own part and is content: what stands behind would never be done. */
function refuseShellWord([first, ...rest]: readonly CommandPart[]): void {
  if (typeof first !== "string") return;
  if (!(rest.length === 0 && joins.test(first)) && !redirects.test(first)) return;
  throw new MlpipeError(
    "MLP1010",
    `A command is started without a shell: its program would be given ${first} as an argument.`,
    {
      at: callSite(),
      hint:
        'Make each program a step, or start a shell: cmd`bash -c "python a.py | sort > $1" - ${o.text}`. ' +
        `Where the program is to have it, quote it: "${first}".`,
    },
  );
}

function isList(value: Argument): value is readonly Argument[] {
  return Array.isArray(value);
}

/** Each item of a list as an argument of its own, inner lists included. */
function partsOf(list: readonly Argument[]): CommandPart[][] {
  return list.flatMap((item) => (isList(item) ? partsOf(item) : [[toPart(item)]]));
}

function toPart(value: Argument): CommandPart {
  if (typeof value === "string") return value;
  if (typeof value === "number") return String(value);
  if (typeof value === "object" && placeMark in value) return value[placeMark];
  throw new MlpipeError(
    "MLP1010",
    `A command takes strings, numbers and ports, and was given ${describe(value)}.`,
    {
      at: callSite(),
      hint: "Inside `command`, use the ports of its own parameters: (i, o) => cmd`… ${i.days} …`.",
    },
  );
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return Array.isArray(value) ? "an array" : `a ${typeof value}`;
}

/** Whether a value was made by {@link cmd}. */
export function isCommand(value: unknown): value is Command {
  return typeof value === "object" && value !== null && commandMark in value;
}

/** The places of some ports, each refusing to be taken for its content. */
export function placesOf<Ports extends object>(ports: Ports, side: "input" | "output"): Places<Ports> {
  const places = Object.keys(ports).map((name): [string, Place] => [
    name,
    place(side === "input" ? { input: name } : { output: name }, name),
  ]);
  // Object.keys loses the names; they are those of Ports.
  return Object.fromEntries(places) as Places<Ports>;
}

/** The place of a deploy's target. */
export function targetPlace(): Place {
  return place({ target: true }, "target");
}

function place(part: CommandPart, name: string): Place {
  const refuse = (): never => {
    throw new MlpipeError("MLP1007", `The port ${name} was used as text while its command was built.`, {
      at: callSite(),
      hint: "Interpolate it into cmd`…` directly: its content is known only when the step runs.",
    });
  };
  return Object.freeze({ [placeMark]: part, [Symbol.toPrimitive]: refuse, toJSON: refuse });
}
