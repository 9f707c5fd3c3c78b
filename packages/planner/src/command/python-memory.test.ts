import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { openStore } from "@mlpipe/store";
import { describe, expect, onTestFinished, test } from "vitest";
import { askPython, type PythonAnswer, type PythonRequest } from "./python.ts";
import { PythonMemory } from "./python-memory.ts";

const python = execFileSync("python3", ["-c", "import sys; print(sys.executable)"], {
  encoding: "utf8",
}).trim();

/** A project with a virtual environment of its own, and what its interpreter answers with and without a memory. */
function project(files: Readonly<Record<string, string>>) {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "mlpipe-python-memory-")));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const write = (some: Readonly<Record<string, string>>): void => {
    for (const [name, text] of Object.entries(some)) {
      mkdirSync(dirname(resolve(root, name)), { recursive: true });
      writeFileSync(resolve(root, name), text);
    }
  };
  execFileSync(python, ["-m", "venv", "--without-pip", join(root, "venv")]);
  const path = join(root, "venv/bin/python3");
  const code = "import site; print(site.getsitepackages()[0])";
  const site = execFileSync(path, ["-c", code], { encoding: "utf8" }).trim();
  write(files);
  let asked = 0;
  const interpreter = { path, flags: [], env: { PATH: dirname(path), HOME: root } };
  const requests: PythonRequest[] = [{ kind: "script", value: join(root, "fit.py"), direct: true }];
  const ask = (): PythonAnswer | string => askPython(interpreter, root, requests);
  return {
    root,
    site,
    write,
    /** The answer as a session has it that remembers, and how often Python was started for it. */
    remembered: (): { readonly started: number; readonly answer: unknown } => {
      // Each session has its store, as it would.
      using store = openStore(join(root, ".mlpipe"));
      asked = 0;
      const answer = new PythonMemory(store).answer(interpreter, root, requests, () => {
        asked++;
        return ask();
      });
      return { started: asked, answer: resultsOf(answer) };
    },
    fresh: (): unknown => resultsOf(ask()),
  };
}

function resultsOf(answer: PythonAnswer | string): unknown {
  if (typeof answer === "string") return answer;
  const { results, implementation, version } = answer;
  return { results, implementation, version };
}

const distribution = {
  "zoo/__init__.py": "animals = 3\n",
  "zoo-1.0.dist-info/METADATA": "Name: zoo\nVersion: 1.0\n",
  "zoo-1.0.dist-info/RECORD": "zoo/__init__.py,sha256=x,12\nzoo-1.0.dist-info/METADATA,sha256=y,24\n",
};

const below = (folder: string, files: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(files).map(([name, text]) => [join(folder, name), text]));

/** Long enough for what was written to lie behind the clock of the file system. */
const settled = (): Promise<void> => pause(30);

test("nothing changed: Python is not started again, and the answer is the same", async () => {
  const { remembered, fresh } = project({ "fit.py": "import helper\n", "helper.py": "x = 1\n" });
  await settled();
  expect(remembered().started).toBe(1);
  expect(remembered()).toEqual({ started: 0, answer: fresh() });
});

test("what was written a moment ago is not remembered: it may be written again within the same tick", () => {
  const { remembered, write, root } = project({ "fit.py": "x = 1\n" });
  const soon = (): number => {
    write({ "fit.py": "x = 1\n" });
    const { ctimeMs } = statSync(join(root, "fit.py"));
    const { started } = remembered();
    return Date.now() - ctimeMs < 5_000 ? started : 1;
  };
  expect(soon()).toBe(1);
});

type Edit = (given: {
  readonly root: string;
  readonly site: string;
  readonly write: (files: Readonly<Record<string, string>>) => void;
}) => void;

const edits: Readonly<Record<string, Edit>> = {
  "the script": ({ write }) => write({ "fit.py": "import helper\nprint(2)\n" }),
  "a helper": ({ write }) => write({ "helper.py": "x = 2\n" }),
  "a helper, with its length and time as before": ({ write, root }) => {
    const { atime, mtime } = statSync(join(root, "helper.py"));
    write({ "helper.py": "x = 9\n" });
    utimesSync(join(root, "helper.py"), atime, mtime);
  },
  "a package that takes the place of a helper": ({ write }) => write({ "helper/__init__.py": "x = 3\n" }),
  "a module beside the script, called like one of the library": ({ write }) =>
    write({ "json.py": "x = 4\n" }),
  "a module that was looked for in vain": ({ write }) => write({ "missing.py": "x = 5\n" }),
  "a file that a script was said to start": ({ write }) => write({ "later.py": "x = 6\n" }),
  "an installed package, in place": ({ site }) =>
    appendFileSync(join(site, "zoo/__init__.py"), "animals += 1\n"),
  "the version of an installed package": ({ site }) => {
    renameSync(join(site, "zoo-1.0.dist-info"), join(site, "zoo-1.1.dist-info"));
    writeFileSync(join(site, "zoo-1.1.dist-info/METADATA"), "Name: zoo\nVersion: 1.1\n");
  },
  "a path that a .pth file adds": ({ write, site, root }) => {
    write({ "vendored/missing.py": "x = 7\n" });
    writeFileSync(join(site, "vendored.pth"), `${join(root, "vendored")}\n`);
  },
  "a sitecustomize": ({ site }) => writeFileSync(join(site, "sitecustomize.py"), "import sys\n"),
};

/** Debian's Python has one of its own, which comes before any other and hides it. */
const hidden = execFileSync(
  python,
  [
    "-I",
    "-c",
    "from importlib.util import find_spec; print(*('sitecustomize' for _ in [1] if find_spec('sitecustomize')))",
  ],
  { encoding: "utf8" },
).trim();

describe.each(Object.entries(edits))("%s", (what, edit) => {
  test.skipIf(hidden !== "" && what.includes(hidden))("is seen as without a memory", async () => {
    const given = project({
      "fit.py":
        "import helper, zoo\nimport subprocess\nimport missing\nsubprocess.run(['python', 'later.py'])\n",
      "helper.py": "x = 1\n",
    });
    given.write(below(given.site, distribution));
    await settled();
    const before = given.remembered();
    expect(given.remembered()).toEqual({ ...before, started: 0 });
    edit(given);
    expect(given.remembered().answer).toEqual(given.fresh());
    expect(given.remembered().answer).not.toEqual(before.answer);
  });
});
