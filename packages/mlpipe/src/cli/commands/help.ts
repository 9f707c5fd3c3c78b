import type { Command } from "commander";
import { MlpipeError } from "@mlpipe/dsl";
import { nearest } from "../../project/nearest.ts";
import { print } from "../output.ts";

/** `mlpipe help [TOPIC]`: a command's help, or the page of an error code. */
export async function help(program: Command, topic: string | undefined): Promise<number> {
  if (topic === undefined) {
    print(program.helpInformation().trimEnd());
    return 0;
  }
  const command = program.commands.find((each) => each.name() === topic);
  if (command !== undefined) {
    print(command.helpInformation().trimEnd());
    return 0;
  }
  const { errorPages } = await import("../catalogue.ts");
  const code = topic.toUpperCase();
  const page = errorPages[code];
  if (page !== undefined) {
    print(`${code}  ${page.title}\n\n${wrap(page.explain, 96)}`);
    return 0;
  }
  const isCode = /^MLP\d*$/.test(code);
  const similar = nearest(
    topic,
    isCode ? Object.keys(errorPages) : program.commands.map((each) => each.name()),
  );
  throw new MlpipeError(
    isCode ? "MLP6017" : "MLP6010",
    `There is no ${isCode ? "error" : "command"} ${topic}.`,
    {
      hint: similar === undefined ? "mlpipe --help lists the commands." : `Did you mean ${similar}?`,
    },
  );
}

function wrap(text: string, width: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + word.length + 1 > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join("\n");
}
