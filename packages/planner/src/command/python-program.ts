import { pythonImports } from "./python-imports.ts";
import { pythonPackages } from "./python-packages.ts";
import { pythonSyntax } from "./python-syntax.ts";

/**
 * The program that reads a project's Python: given `python -c`, its questions on standard input,
 * its answers the last thing on standard output, after {@link answerMark}.
 */
export const pythonProgram = `${pythonSyntax}\n${pythonPackages}\n${pythonImports}`;

/** What stands before the answers. */
export const answerMark = "\u001e";
