import type { CommandArgument } from "./launch.ts";

/** What Node, or a program like it, is told to run. */
export type NodeStart =
  /** A module, as the command names it. */
  | { readonly type: "module"; readonly name: string }
  /** Something that comes in through a port, and is keyed as an input. */
  | { readonly type: "input" }
  | { readonly type: "nothing" }
  /** Why it cannot be followed. */
  | { readonly type: "untold"; readonly message: string; readonly hint: string };

/** Options whose value is an argument of its own and no program. */
const withValue =
  /^(?:-[rC]|--require|--import|--loader|--experimental-loader|--conditions|--env-file(?:-if-exists)?|--input-type)$/;

/**
 * Reads the arguments of `node` and its like.
 *
 * @param isFile whether an argument names a file of the project
 */
export function readNodeArguments(
  argv: readonly CommandArgument[],
  isFile: (name: string) => boolean,
): NodeStart {
  for (let i = 1; i < argv.length; i++) {
    const word = argv[i];
    const before = argv[i - 1];
    if (typeof word !== "string") return { type: "input" };
    if (word.startsWith("-")) {
      if (/^(?:-[a-z]*[ep]|--eval|--print)(?:=|$)/.test(word)) {
        return untold(
          "what the text given to node imports is not followed",
          "Put it into a module of its own.",
        );
      }
      if (/^--run(?:=|$)/.test(word))
        return untold("node --run reads package.json, which the command does not name", named);
      if (withValue.test(word)) i++;
      continue;
    }
    if (isFile(word)) return { type: "module", name: word };
    if (word === "run" && i === 1) continue;
    // It may as well be the value of an option that nobody here knows.
    if (i > 1 && typeof before === "string" && before.startsWith("--") && !before.includes("=")) {
      const rest = readNodeArguments(["node", ...argv.slice(i + 1)], isFile);
      if (rest.type !== "nothing") return rest;
    }
    return untold(`node is given no module that could be followed: ${word}`, named);
  }
  if (argv.includes("--test")) return untold("node --test looks for its modules by itself", named);
  return { type: "nothing" };
}

const named = `Name it: files: ["…"].`;

function untold(message: string, hint: string): NodeStart {
  return { type: "untold", message, hint };
}
