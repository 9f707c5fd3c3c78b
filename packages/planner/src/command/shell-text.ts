/** One simple command of a shell's text. */
export interface ShellCommand {
  /** Its words with quotes resolved; null where a port or an expansion stands in a word. */
  readonly words: readonly (string | null)[];
  /** Files that it reads from or writes to by `<` and `>`. */
  readonly files: readonly string[];
}

/** What can be told of a text without running it. */
export interface ShellText {
  readonly commands: readonly ShellCommand[];
  /** The first thing that only the running shell knows, if any: `$HOME`, a glob, a function. */
  readonly computed: string | undefined;
}

const keywords = new Set([
  "if",
  "then",
  "else",
  "elif",
  "fi",
  "do",
  "done",
  "while",
  "until",
  "!",
  "{",
  "}",
  "time",
]);
const port = "\u0000";

/**
 * Reads the text after `sh -c` as far as a reader can: commands joined by `&&`, `|`, `;` and the like.
 * Variables, substitutions, globs, `for`, `case`, functions and here-documents are computed.
 *
 * @param pieces literal text, and null for each port
 */
export function readShellText(pieces: readonly (string | null)[]): ShellText {
  const text = pieces.map((piece) => piece ?? port).join("");
  const commands: ShellCommand[] = [];
  let computed: string | undefined;
  let words: (string | null)[] = [];
  let files: string[] = [];
  let word: string | undefined;
  let target = false;

  const endWord = (): void => {
    if (word === undefined) return;
    if (target) {
      if (!word.includes(port)) files.push(word);
      target = false;
    } else if (words.length > 0 || !keywords.has(word)) {
      if (words.length === 0 && (word === "for" || word === "case" || word === "function")) computed ??= word;
      // A=b before a command changes what it sees, which nothing here follows.
      else if (words.length === 0 && /^\w+=/.test(word)) computed ??= word.replaceAll(port, "…");
      words.push(word.includes(port) ? null : word);
    }
    word = undefined;
  };
  const endCommand = (): void => {
    endWord();
    if (words.length > 0 || files.length > 0) commands.push({ words, files });
    words = [];
    files = [];
  };

  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i);
    if (character === "'") {
      const end = text.indexOf("'", i + 1);
      word = (word ?? "") + text.slice(i + 1, end === -1 ? undefined : end);
      i = end === -1 ? text.length : end;
    } else if (character === '"') {
      word ??= "";
      for (i++; i < text.length && text.charAt(i) !== '"'; i++) {
        if (/[$`]/.test(text.charAt(i))) {
          computed ??= expansionAt(text, i);
          word += port;
        }
        if (text.startsWith("\\\n", i)) {
          i++;
          continue;
        }
        if (text.charAt(i) === "\\" && /["\\$`]/.test(text.charAt(i + 1))) i++;
        word += text.charAt(i);
      }
    } else if (character === "\\") {
      i++;
      // A line that goes on in the next one.
      if (text.charAt(i) !== "\n") word = (word ?? "") + text.charAt(i);
    } else if (/[;|&\n()]/.test(character)) {
      endCommand();
    } else if (character === "<" || character === ">") {
      // 2>&1 and the like: the number before is part of the redirection, and no file comes after.
      if (word !== undefined && /^\d$/.test(word)) word = undefined;
      endWord();
      if (character === "<" && text.charAt(i + 1) === "<") computed ??= "<<";
      while (/[<>|]/.test(text.charAt(i + 1))) i++;
      const duplicate = /^&[\d-]/.exec(text.slice(i + 1));
      if (duplicate === null) target = true;
      else i += duplicate[0].length;
    } else if (/\s/.test(character)) {
      endWord();
    } else if (character === "#" && word === undefined) {
      const end = text.indexOf("\n", i);
      i = (end === -1 ? text.length : end) - 1;
    } else {
      if (/[$`*?[~]/.test(character) || isBraceExpansion(text, i)) {
        computed ??= expansionAt(text, i);
        word = (word ?? "") + port;
      }
      word = (word ?? "") + character;
    }
  }
  endCommand();
  return { commands, computed };
}

/** `{a,b}` and `{1..3}`, which every shell but the plainest makes into several words. */
function isBraceExpansion(text: string, index: number): boolean {
  return /^\{[^\s{}]*(?:,|\.\.)[^\s]*\}/.test(text.slice(index, index + 1000));
}

function expansionAt(text: string, index: number): string {
  return (
    text
      .slice(index)
      .split(/[\s"';|&]/, 1)[0]
      ?.replaceAll(port, "…") ?? ""
  );
}
