import { expect, test } from "vitest";
import { readShellText } from "./shell-text.ts";

test("commands joined by operators, quotes and redirections", () => {
  expect(
    readShellText(["sort -k 1 'a b.txt' | uniq -c > ", null, ' 2>&1 && echo "it\'s done" < in.txt; true']),
  ).toEqual({
    commands: [
      { words: ["sort", "-k", "1", "a b.txt"], files: [] },
      { words: ["uniq", "-c"], files: [] },
      { words: ["echo", "it's done"], files: ["in.txt"] },
      { words: ["true"], files: [] },
    ],
    computed: undefined,
  });
});

test("a port inside of a word hides the word", () => {
  expect(readShellText(["fit --out=", null, "/x a"]).commands).toEqual([
    { words: ["fit", null, "a"], files: [] },
  ]);
});

test("if … then … fi and comments", () => {
  expect(
    readShellText(["if test -f a; then sort a; fi # $x\n! wc b"]).commands.map(({ words }) => words),
  ).toEqual([
    ["test", "-f", "a"],
    ["sort", "a"],
    ["wc", "b"],
  ]);
});

test.each([
  ["python $SCRIPT", "$SCRIPT"],
  ['python "$(which x)"', "$(which"],
  ["cat *.txt", "*.txt"],
  ["for x in a b; do y; done", "for"],
  ["A=b python x.py", "A=b"],
  ["cat <<END", "<<"],
  ["python '$x' \\$y", undefined],
])("%s: what is computed", (text, computed) => {
  expect(readShellText([text]).computed).toBe(computed);
});
