/** Colours and symbols, where the stream can show them. */
import { styleText } from "node:util";

/** Names of looks, by what they say and not by what they look like. */
export type Look = "good" | "bad" | "warning" | "quiet" | "strong" | "name";

const formats = {
  good: "green",
  bad: "red",
  warning: "yellow",
  quiet: "dim",
  strong: "bold",
  name: "cyan",
} as const;

/** Gives a text a look; `plain` gives it none. */
export type Style = (look: Look, text: string) => string;

/** The style for a stream: plain unless it is a terminal, as NO_COLOR and FORCE_COLOR have it. */
export function styleFor(stream: NodeJS.WriteStream): Style {
  // To find out takes Node longer than to write the line.
  let isPlain: boolean | undefined;
  return (look, text) => {
    isPlain ??= styleText("bold", "?", { stream }) === "?";
    return isPlain ? text : styleText(formats[look], text, { stream });
  };
}

export const plain: Style = (_look, text) => text;
