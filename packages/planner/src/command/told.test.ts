/** What a command starts or reads in ways that are easily missed: it counts, or the step is not kept. */
import { existsSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { changes, type Files, project } from "./fixtures/project.ts";
import type { CommandArgument } from "./launch.ts";

const tools = Object.fromEntries(
  "fit uv poetry pipenv java flock xargs".split(" ").map((name) => [name, "#!/bin/sh\n"]),
);
const environment: Files = {
  ".venv/pyvenv.cfg": "home = /usr/bin\n",
  ".venv/bin/python": '#!/bin/sh\nexec python3 "$@"\n',
};

describe("an edit of a file counts that is named", () => {
  const named: Readonly<Record<string, readonly [argv: readonly CommandArgument[], file: string]>> = {
    "in text that is a command in turn": [["flock", "lock", "-c", "python3 fit.py --fast"], "fit.py"],
    "in text behind an option": [["fit", "--start=python3 fit.py"], "fit.py"],
    "in quotes in a text": [["fit", "-c", "copy rows from 'rows.csv'"], "rows.csv"],
    "behind two equals signs": [["fit", "--set=data.config=conf.yaml"], "conf.yaml"],
    "by a glob that the program resolves": [["fit", "--rows", "days/*.csv"], "days/1.csv"],
    "on a line of a shell that goes on": [["sh", "-c", "cat \\\n  rows.csv"], "rows.csv"],
    "on a line that goes on inside of quotes": [["sh", "-c", 'cat "rows\\\n.csv"'], "rows.csv"],
    "as the variables of uv run": [["uv", "run", "--env-file", "fit.env", "python", "fit.py"], "fit.env"],
    "as the variables of uv run, with an equals sign": [
      ["uv", "run", "--env-file=fit.env", "python", "fit.py"],
      "fit.env",
    ],
    "nowhere, since pipenv reads it unasked": [["pipenv", "run", "python", "fit.py"], ".env"],
    "as a jar": [["java", "-jar", "fit.jar"], "fit.jar"],
  };
  test.each(Object.entries(named))("%s", (_, [argv, file]) => {
    const { identify, write } = project({ ...environment, "fit.py": "", [file]: "1" }, tools);
    const before = identify(argv);
    expect(before.uncacheable).toEqual([]);
    write({ [file]: "2" });
    expect(changes(before, identify(argv))).toEqual([file]);
  });
});

describe("an edit of a file counts that Python loads", () => {
  const loaded: Readonly<Record<string, readonly [script: string, file: string]>> = {
    "by a loader asked for by its name": [
      "import importlib\ngetattr(importlib, 'import_module')('m')\n",
      "m.py",
    ],
    "by a builtin asked for in its module": ["__builtins__.__import__('m')\n", "m.py"],
    "where a name of the type checkers is the project's own": [
      "from typing import TYPE_CHECKING\nTYPE_CHECKING = True\nif TYPE_CHECKING:\n    import m\n",
      "m.py",
    ],
    "as a library": ["import ctypes\nctypes.CDLL('./m.so')\n", "m.so"],
    "as a program that is no Python": ["import subprocess\nsubprocess.run(['sh', 'm.sh'])\n", "m.sh"],
  };
  test.each(Object.entries(loaded))("%s", (_, [script, file]) => {
    const { identify, write } = project({ "fit.py": script, [file]: "x = 1\n" });
    const before = identify("python3 fit.py");
    expect(before.uncacheable).toEqual([]);
    write({ [file]: "x = 2\n" });
    expect(changes(before, identify("python3 fit.py"))).toEqual([file]);
  });

  test("not for the type checkers alone", () => {
    const script = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import m\n";
    const { identify, write } = project({ "fit.py": script, "m.py": "x = 1\n" });
    const before = identify("python3 fit.py");
    write({ "m.py": "x = 2\n" });
    expect(changes(before, identify("python3 fit.py"))).toEqual([]);
  });
});

describe("is not kept, unless its files are named", () => {
  const untold: Readonly<Record<string, readonly [argv: readonly CommandArgument[], message: string]>> = {
    "several words made of braces": [
      ["bash", "-c", "cat {a,b}.txt"],
      "bash -c: {a,b}.txt is computed, so what it starts cannot be told",
    ],
    "a trap": [["sh", "-c", "trap 'python3 fit.py' EXIT"], "sh -c: what follows trap cannot be told"],
    "a search path that a shell exports": [
      ["sh", "-c", "export PYTHONPATH=lib/deep; python3 fit.py"],
      "sh -c: what follows export cannot be told",
    ],
    "a text that env takes apart": [["env", "-S", "fit --fast"], "env -S: what it starts cannot be told"],
    "another folder, by env": [
      ["env", "--chdir=sub", "python3", "fit.py"],
      "env --chdir=sub: what it starts cannot be told",
    ],
    "another folder, by uv": [
      ["uv", "run", "--directory", ".", "python", "fit.py"],
      "uv starts the program in another folder",
    ],
    "another folder, by poetry": [
      ["poetry", "-C", "sub", "run", "python", "fit.py"],
      "poetry starts the program in another folder",
    ],
    "a program that Python reads from its input": [
      ["sh", "-c", "python3 < fit.py"],
      "what Python reads from its input cannot be followed",
    ],
    "a program that a shell reads from its input": [
      ["sh", "-c", "cat fit.py | sh"],
      "what sh reads from its input cannot be followed",
    ],
    "arguments that come by the input": [
      ["sh", "-c", "cat list.txt | xargs cat"],
      "xargs reads files that the command does not name",
    ],
    "classes that Java looks for": [["java", "Main"], "java reads files that the command does not name"],
  };
  test.each(Object.entries(untold))("%s", (_, [argv, message]) => {
    const { identify } = project({ ...environment, "fit.py": "", "list.txt": "", "sub/fit.py": "" }, tools);
    expect(identify(argv).uncacheable.map((finding) => finding.message)).toContain(message);
    expect(identify(argv, { files: ["fit.py"] }).uncacheable).toEqual([]);
  });
});

describe("is kept", () => {
  test.each([
    ["a module that is missing where it may not be needed", "def f():\n    import nowhere\n"],
    [
      "a module that is missing on another system",
      "import sys\nif sys.platform == 'win32':\n    import nowhere\n",
    ],
    ["a module that is missing in one that may not be needed", "def f():\n    import lazy\n"],
    [
      "a member of a module that loads code, asked for by its name",
      "import builtins\ngetattr(builtins, 'len')('')\n",
    ],
  ])("%s", (_, script) => {
    const { identify } = project({ "fit.py": script, "lazy.py": "import nowhere\n" });
    expect(identify("python3 fit.py").uncacheable).toEqual([]);
  });

  test.each([
    ["a dot and a slash in a text, which are no folders", ["fit", "-e", ". | length / 2"]],
    ["a star in a text, which is no glob", ["fit", "-q", "select * from rows"]],
    ["an interpreter that is asked for its version", ["sh", "-c", "python3 --version && sh --version"]],
    ["a pair of braces that is an argument", ["sh", "-c", "fit --json {} > out"]],
    ["a variable that a shell exports", ["sh", "-c", "export THREADS=2; python3 fit.py"]],
  ] as const)("%s", (_, argv) => {
    const { identify } = project({ "fit.py": "", "rows.csv": "" }, tools);
    const identity = identify(argv);
    expect(identity.uncacheable).toEqual([]);
    expect(Object.keys(identity.parts).filter((name) => name !== "fit.py")).toEqual([]);
  });
});

describe("`**` at the end of a glob is all that is below", () => {
  test.each(["lib/.hidden", "lib/.hidden.d/a", "shared/a.sql"])("an edit of %s counts", (file) => {
    const { root, identify, write } = project({ "lib/a.sql": "", "shared/a.sql": "", [file]: "1" });
    symlinkSync("../shared", join(root, "lib/common"));
    const options = { files: ["lib/**"] };
    const before = identify("true", options);
    writeFileSync(join(root, file), "2");
    expect(existsSync(join(root, "lib/common/a.sql"))).toBe(true);
    expect(changes(before, identify("true", options))).toHaveLength(1);
    write({ "other/a.sql": "3" });
    expect(changes(before, identify("true", options))).toHaveLength(1);
  });
});
