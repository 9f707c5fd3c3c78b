import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { CommandCode, type CommandIdentity, type CommandQuestion } from "./command.ts";
import { changes, type Files, hash, project, python, temporary } from "./fixtures/project.ts";
import type { CommandArgument } from "./launch.ts";

/** A distribution as pip unpacks it. */
function distribution(site: string, name: string, version: string, modules: Files, extra = ""): Files {
  const info = `${name}-${version}.dist-info`;
  const rows = Object.entries(modules).map(([path, text]) => {
    const digest = createHash("sha256")
      .update(text ?? "")
      .digest("base64url");
    return `${path},sha256=${digest},${Buffer.byteLength(text ?? "")}`;
  });
  return {
    ...Object.fromEntries(Object.entries(modules).map(([path, text]) => [`${site}/${path}`, text])),
    [`${site}/${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n${extra}\nText: no header\n`,
    [`${site}/${info}/RECORD`]: [...rows, `${info}/METADATA,,`, `${info}/RECORD,,`, ""].join("\n"),
  };
}

interface Story {
  readonly files: Files;
  readonly tools?: Readonly<Record<string, string>>;
  readonly argv?: readonly CommandArgument[] | string;
  readonly options?: Omit<CommandQuestion, "argv">;
  readonly edit: Files;
  /** Exactly what is another afterwards. */
  readonly changed: readonly string[];
}

function tell(stories: Readonly<Record<string, Story>>): void {
  test.each(Object.entries(stories))("%s", (_, story) => {
    const { write, identify } = project(story.files, story.tools);
    const argv = story.argv ?? "python3 train.py --data … --out …";
    const before = identify(argv, story.options);
    expect(before.uncacheable).toEqual([]);
    write(story.edit);
    const after = identify(argv, story.options);
    expect(changes(before, after)).toEqual([...story.changed].toSorted());
  });
}

const train = "import helper\nprint(helper.fit(1))\n";

describe("a Python script", () => {
  tell({
    "a comment edited: nothing": {
      files: { "train.py": "x = 1  # one\n" },
      edit: { "train.py": "# the number\nx = 1\n" },
      changed: [],
    },
    "formatting: nothing": {
      files: { "train.py": "f = [1,2]\nif f: print('a')\n" },
      edit: { "train.py": 'f = [\n    1,\n    2,\n]\nif f:\n    print("a")\n' },
      changed: [],
    },
    "a constant": {
      files: { "train.py": "x = 1\n" },
      edit: { "train.py": "x = 2\n" },
      changed: ["train.py"],
    },
    "1 became True, which is equal in Python": {
      files: { "train.py": "x = 1\n" },
      edit: { "train.py": "x = True\n" },
      changed: ["train.py"],
    },
    "a docstring, which scripts read": {
      files: { "train.py": '"""Usage: a"""\n' },
      edit: { "train.py": '"""Usage: b"""\n' },
      changed: ["train.py"],
    },
    "an annotation, which Python can read": {
      files: { "train.py": "x: int = 1\n" },
      edit: { "train.py": "x: float = 1\n" },
      changed: ["train.py"],
    },
    "a helper": {
      files: { "train.py": train, "helper.py": "def fit(x): return x\n" },
      edit: { "helper.py": "def fit(x): return x + 1\n" },
      changed: ["helper.py"],
    },
    "a comment in a helper: nothing": {
      files: { "train.py": train, "helper.py": "def fit(x): return x\n" },
      edit: { "helper.py": "def fit(x): return x  # as it is\n" },
      changed: [],
    },
    "a helper two deep": {
      files: {
        "train.py": train,
        "helper.py": "from deep.er import fit\n",
        "deep/__init__.py": "",
        "deep/er.py": "fit = abs\n",
      },
      edit: { "deep/er.py": "fit = round\n" },
      changed: ["deep/er.py"],
    },
    "a module that nothing imports: nothing": {
      files: { "train.py": "x = 1\n", "other.py": "y = 1\n" },
      edit: { "other.py": "y = 2\n" },
      changed: [],
    },
    "a package's __init__": {
      files: {
        "train.py": "import pkg.sub.leaf\n",
        "pkg/__init__.py": "",
        "pkg/sub/__init__.py": "",
        "pkg/sub/leaf.py": "",
      },
      edit: { "pkg/__init__.py": "x = 1\n", "pkg/sub/__init__.py": "y = 1\n" },
      changed: ["pkg/__init__.py", "pkg/sub/__init__.py"],
    },
    "a relative import": {
      files: {
        "train.py": "import pkg.a\n",
        "pkg/__init__.py": "",
        "pkg/a.py": "from . import b\nfrom .c import d\n",
        "pkg/b.py": "",
        "pkg/c.py": "d = 1\n",
      },
      edit: { "pkg/b.py": "x = 1\n", "pkg/c.py": "d = 2\n" },
      changed: ["pkg/b.py", "pkg/c.py"],
    },
    "a relative import from the folder above": {
      files: {
        "train.py": "import pkg.in_.a\n",
        "pkg/__init__.py": "",
        "pkg/b.py": "",
        "pkg/in_/__init__.py": "",
        "pkg/in_/a.py": "from ..b import x\n",
      },
      edit: { "pkg/b.py": "x = 1\n" },
      changed: ["pkg/b.py"],
    },
    "a submodule imported from its package": {
      files: { "train.py": "from pkg import leaf\n", "pkg/__init__.py": "", "pkg/leaf.py": "" },
      edit: { "pkg/leaf.py": "x = 1\n" },
      changed: ["pkg/leaf.py"],
    },
    "a conditional import": {
      files: {
        "train.py": "try:\n    import fast as impl\nexcept ImportError:\n    import slow as impl\n",
        "fast.py": "",
        "slow.py": "",
      },
      edit: { "slow.py": "x = 1\n" },
      changed: ["slow.py"],
    },
    "an import inside of a function": {
      files: { "train.py": "def f():\n    if f:\n        import helper\n", "helper.py": "" },
      edit: { "helper.py": "x = 1\n" },
      changed: ["helper.py"],
    },
    "an import for type checkers alone: nothing": {
      files: {
        "train.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import helper\n",
        "helper.py": "",
      },
      edit: { "helper.py": "x = 1\n" },
      changed: [],
    },
    "a star import": {
      files: { "train.py": "from helper import *\n", "helper.py": "" },
      edit: { "helper.py": "x = 1\n" },
      changed: ["helper.py"],
    },
    "a star import of a package whose __all__ names a module": {
      files: {
        "train.py": "from pkg import *\n",
        "pkg/__init__.py": "__all__ = ['leaf']\n",
        "pkg/leaf.py": "",
        "pkg/other.py": "",
      },
      edit: { "pkg/leaf.py": "x = 1\n", "pkg/other.py": "x = 1\n" },
      changed: ["pkg/leaf.py"],
    },
    "a namespace package": {
      files: { "train.py": "import space.leaf\n", "space/leaf.py": "" },
      edit: { "space/leaf.py": "x = 1\n" },
      changed: ["space/leaf.py"],
    },
    "an import by a literal name": {
      files: { "train.py": "from importlib import import_module as load\nload('helper')\n", "helper.py": "" },
      edit: { "helper.py": "x = 1\n" },
      changed: ["helper.py"],
    },
    "a relative import by a literal name": {
      files: {
        "train.py": "import pkg\n",
        "pkg/__init__.py": "import importlib\nimportlib.import_module('.leaf', __package__)\n",
        "pkg/leaf.py": "",
      },
      edit: { "pkg/leaf.py": "x = 1\n" },
      changed: ["pkg/leaf.py"],
    },
    "an import in text that is executed": {
      files: { "train.py": "exec('import helper')\n", "helper.py": "" },
      edit: { "helper.py": "x = 1\n" },
      changed: ["helper.py"],
    },
    "a folder that the script puts on sys.path": {
      files: {
        "train.py":
          "import os, sys\nHERE = os.path.dirname(os.path.abspath(__file__))\nsys.path.insert(0, os.path.join(HERE, 'lib'))\nimport helper\n",
        "lib/helper.py": "",
      },
      edit: { "lib/helper.py": "x = 1\n" },
      changed: ["lib/helper.py"],
    },
    "the same by pathlib": {
      files: {
        "jobs/train.py":
          "import sys\nfrom pathlib import Path\nsys.path.append(str(Path(__file__).resolve().parents[1] / 'lib'))\nimport helper\n",
        "lib/helper.py": "",
      },
      argv: "python3 jobs/train.py",
      edit: { "lib/helper.py": "x = 1\n" },
      changed: ["lib/helper.py"],
    },
    "a file loaded as a module": {
      files: {
        "train.py": "from importlib.util import spec_from_file_location as spec\nspec('m', 'lib/m.py')\n",
        "lib/m.py": "import n\n",
        "lib/n.py": "",
      },
      edit: { "lib/m.py": "import n\nx = 1\n" },
      changed: ["lib/m.py"],
    },
    "a script started by the script": {
      files: {
        "train.py": "import subprocess, sys\nsubprocess.run([sys.executable, 'prep.py'])\n",
        "prep.py": "import helper\n",
        "helper.py": "",
      },
      edit: { "helper.py": "x = 1\n" },
      changed: ["helper.py"],
    },
    "a helper that now shadows an installed module": {
      files: { "train.py": "import json\n" },
      edit: { "json.py": "def loads(x): return 1\n" },
      changed: ["json.py"],
    },
    "a module that the standard library would load beside the script": {
      files: { "train.py": "import tempfile\n", "random.py": "" },
      edit: { "random.py": "x = 1\n" },
      changed: ["random.py"],
    },
    "a module beside the script, not at the root": {
      files: { "jobs/train.py": "import helper\n", "jobs/helper.py": "", "helper.py": "" },
      argv: "python3 jobs/train.py",
      edit: { "jobs/helper.py": "x = 1\n", "helper.py": "x = 1\n" },
      changed: ["jobs/helper.py"],
    },
    "python -m: modules are found from the root": {
      files: { "jobs/__init__.py": "", "jobs/train.py": "from helper import x\n", "helper.py": "x = 1\n" },
      argv: "python3 -u -m jobs.train --out …",
      edit: { "helper.py": "x = 2\n", "jobs/__init__.py": "y = 1\n" },
      changed: ["helper.py", "jobs/__init__.py"],
    },
    "python -m with a package: its __main__": {
      files: { "jobs/__init__.py": "", "jobs/__main__.py": "" },
      argv: "python3 -m jobs",
      edit: { "jobs/__main__.py": "x = 1\n" },
      changed: ["jobs/__main__.py"],
    },
    "python with a folder: its __main__": {
      files: { "jobs/__main__.py": "import helper\n", "jobs/helper.py": "" },
      argv: "python3 jobs",
      edit: { "jobs/helper.py": "x = 1\n" },
      changed: ["jobs/helper.py"],
    },
    "python -c: what its text imports": {
      files: { "helper.py": "" },
      argv: ["python3", "-c", "import helper; helper.run()"],
      edit: { "helper.py": "x = 1\n" },
      changed: ["helper.py"],
    },
    "PYTHONPATH of the step": {
      files: { "train.py": "import helper\n", "lib/helper.py": "" },
      options: { env: { PYTHONPATH: "lib" } },
      edit: { "lib/helper.py": "x = 1\n" },
      changed: ["lib/helper.py"],
    },
    "PYTHONPATH set by env": {
      files: { "train.py": "import helper\n", "lib/helper.py": "" },
      argv: "env PYTHONPATH=lib python3 train.py",
      edit: { "lib/helper.py": "x = 1\n" },
      changed: ["lib/helper.py"],
    },
    "a script behind timeout": {
      files: { "train.py": train, "helper.py": "" },
      argv: "timeout 60 python3 train.py",
      edit: { "helper.py": "x = 1\n" },
      changed: ["helper.py"],
    },
    "a launcher that is not Python's own finds modules from the root too": {
      tools: { torchrun: "#!/usr/bin/env python3\n" },
      files: { "jobs/train.py": "import helper\n", "helper.py": "" },
      argv: "torchrun --nproc_per_node=2 jobs/train.py",
      edit: { "helper.py": "x = 1\n", "jobs/train.py": "import helper  # as before\n" },
      changed: ["helper.py"],
    },
    "a script of the project that is started by itself": {
      files: { "train.py": "#!/usr/bin/env python3\nimport helper\n", "helper.py": "" },
      argv: "./train.py",
      edit: { "helper.py": "x = 1\n", "train.py": "#!/usr/bin/env python3\n# as before\nimport helper\n" },
      changed: ["helper.py"],
    },
    "a script in a shell's text": {
      files: { "train.py": train, "helper.py": "" },
      argv: ["sh", "-c", ["python3 train.py --data ", null, " > ", null, " && echo done"]],
      edit: { "helper.py": "x = 1\n" },
      changed: ["helper.py"],
    },
    "a script that another program reads: its comments are its bytes": {
      files: { "train.py": "x = 1\n" },
      argv: "cp train.py …",
      edit: { "train.py": "x = 1  # one\n" },
      changed: ["train.py"],
    },
    "a script given to a program that nobody knows: comments and imports": {
      tools: { sweep: "#!/bin/sh\n" },
      files: { "train.py": "import helper\n", "helper.py": "" },
      argv: "sweep train.py",
      edit: { "train.py": "import helper  # as before\n", "helper.py": "x = 1\n" },
      changed: ["helper.py", "train.py"],
    },
  });

  test("a user's own eval() is not the builtin, and model.eval() is a method", () => {
    const { identify } = project({
      "train.py": "def eval(model, exec):\n    model.eval()\n    exec(model)\neval(m, f)\ndf.eval(q)\n",
    });
    expect(identify("python3 train.py").uncacheable).toEqual([]);
  });

  test("a sum of five thousand terms", () => {
    const { identify } = project({
      "train.py": `x = ${"1 + ".repeat(2500)}1\n`,
      "other.py": `x = ${"1 + ".repeat(2501)}1\n`,
    });
    expect(identify("python3 train.py").parts["train.py"]).not.toBe(
      identify("python3 other.py").parts["other.py"],
    );
  });

  test("a module below src that no install has made known: the remark says what to do", () => {
    const { identify } = project({
      "src/churn/__init__.py": "",
      "src/churn/train.py": "from churn.features import lag\n",
      "src/churn/features.py": "lag = 1\n",
      "start.py": "import churn.train\n",
    });
    const advice = "is there: install the project, pip install -e . or uv sync, or start env PYTHONPATH=src)";
    const messages = (command: string): readonly string[] =>
      identify(command).uncacheable.map(({ message }) => message);
    expect(messages("python3 -m churn.train")).toEqual([
      `python -m churn.train: there is no such module (src/churn/train.py ${advice}`,
    ]);
    expect(messages("python3 start.py")).toEqual([
      `the module churn.train is not found by this Python (src/churn ${advice}, so where it looks for modules cannot be told`,
    ]);
    expect(messages("env PYTHONPATH=src python3 -m churn.train")).toEqual([]);
    expect(messages("python3 -m nowhere")).toEqual(["python -m nowhere: there is no such module"]);
  });

  test("an import of nothing is a warning with its place", () => {
    const { root, identify } = project({
      "train.py":
        "import os\nif os.name == 'nt':\n    import nowhere\ntry:\n    import maybe\nexcept ImportError: pass\n",
    });
    expect(identify("python3 train.py").warnings).toEqual([
      {
        message: "the module nowhere is not found by this Python",
        site: { file: join(root, "train.py"), line: 3, column: 5 },
      },
    ]);
  });
});

describe("Python that cannot be followed is not kept", () => {
  const untold: Readonly<Record<string, readonly [source: string, message: string, line: number]>> = {
    "import_module of something computed": [
      "import importlib\nimportlib.import_module(name)\n",
      "importlib.import_module() is given a name that is computed",
      2,
    ],
    "__import__ of something computed": [
      "x = __import__(name)\n",
      "__import__() is given a name that is computed",
      1,
    ],
    "exec of something computed": [
      "import os\n\nexec(os.environ['X'])\n",
      "exec() is given text that is computed",
      3,
    ],
    "eval of an argument": ["import sys\neval(sys.argv[1])\n", "eval() is given text that is computed", 2],
    "a loader under another name": [
      "import importlib as i\nload = i.import_module\n",
      "importlib.import_module is used as a value, so what it loads cannot be told",
      2,
    ],
    "run_path of an argument": [
      "import runpy, sys\nrunpy.run_path(sys.argv[1])\n",
      "runpy.run_path() loads a file that is computed",
      2,
    ],
    "sys.path from the environment": [
      "import os, sys\nsys.path.append(os.environ['LIB'])\n",
      "sys.path is changed by something computed",
      2,
    ],
    "entry points": [
      "from importlib.metadata import entry_points\nentry_points(group='x')\n",
      "importlib.metadata.entry_points() loads code that only the running program knows",
      2,
    ],
    "a loader asked for by its name": [
      "import importlib\ngetattr(importlib, 'import_module')(name)\n",
      "importlib.import_module() is given a name that is computed",
      2,
    ],
    "a loader asked for by a name that is computed": [
      "import builtins\ngetattr(builtins, name)('m')\n",
      "getattr() of what loads code is given a name that is computed",
      2,
    ],
    "a relative __import__": [
      "__import__('m', globals(), locals(), ['X'], 1)\n",
      "__import__() is given a level",
      1,
    ],
    "the modules of a package, whichever there are": [
      "import pkgutil\nfor f, n, _ in pkgutil.iter_modules(['plugins']):\n    f.find_spec(n).loader.load_module(n)\n",
      "pkgutil.iter_modules() loads code that only the running program knows",
      2,
    ],
    "sys.path by its name": [
      "import sys\ngetattr(sys, 'path').append('lib')\n",
      "sys.path is given another name",
      2,
    ],
    "a search path that is changed where nobody sees it": [
      "import sys\ndef widen(path):\n    path.append('lib')\nwiden(sys.path)\nimport helper\n",
      "the module helper is not found by this Python, so where it looks for modules cannot be told",
      5,
    ],
    "a finder of its own": [
      "import sys\nsys.meta_path.insert(0, F())\n",
      "sys.meta_path is changed, so imports may go anywhere",
      2,
    ],
  };
  test.each(Object.entries(untold))("%s", (_, [source, message, line]) => {
    const { root, identify } = project({ "train.py": source });
    const { uncacheable } = identify("python3 train.py");
    expect(uncacheable).toHaveLength(1);
    expect(uncacheable[0]).toMatchObject({ message, site: { file: join(root, "train.py"), line } });
    expect(uncacheable[0]?.hint).toContain("files:");
  });

  test("unless the step names the files", () => {
    const { identify, write } = project({
      "train.py": "import importlib\nimportlib.import_module(name)\n",
      "plugins/a.py": "",
    });
    const options = { files: ["plugins/*.py"] };
    const before = identify("python3 train.py", options);
    expect(before.uncacheable).toEqual([]);
    write({ "plugins/b.py": "" });
    expect(changes(before, identify("python3 train.py", options))).toEqual(["plugins/b.py"]);
  });

  test("a script of Python 2, with the place of what cannot be parsed", () => {
    const { root, identify } = project({ "train.py": "import helper\n", "helper.py": "x = 1\nprint 'a'\n" });
    const { uncacheable, parts } = identify("python3 train.py");
    expect(uncacheable[0]?.message).toContain("cannot parse it");
    expect(uncacheable[0]?.site).toMatchObject({ file: join(root, "helper.py"), line: 2 });
    expect(Object.keys(parts).toSorted()).toEqual(["helper.py", "train.py"]);
  });

  test("a script that comes in through a port", () => {
    expect(project({}).identify("python3 … --out …").uncacheable[0]?.message).toContain(
      "known only when the step runs",
    );
  });

  test("a script that is not there", () => {
    expect(project({}).identify("python3 train.py").uncacheable).toEqual([
      { message: "there is no script train.py" },
    ]);
  });
});

describe("installed distributions", () => {
  const site = "site";
  const cart = (version: string, text = "x = 1\n"): Files =>
    distribution(
      site,
      "ml-cart",
      version,
      { "cart/__init__.py": text },
      "Requires-Dist: base-lib>=1\nRequires-Dist: pytest; extra == 'test'\n",
    );
  const base = (version: string): Files =>
    distribution(site, "base_lib", version, { "base/__init__.py": `v = "${version}"\n` });
  const options = { env: { PYTHONPATH: site } };
  const files = {
    "train.py": "from cart.tree import fit\n",
    ...cart("2.1.0"),
    ...base("1.0"),
    ...distribution(site, "pytest", "1.0", { "pytest.py": "" }),
    ...distribution(site, "unrelated", "1.0", { "unrelated.py": "" }),
  };

  test("the version of what is installed, and of what that requires", () => {
    const { packages } = project(files).identify("python3 train.py", options);
    expect(Object.keys(packages).toSorted()).toEqual(["base_lib", "ml-cart"]);
    expect(packages["ml-cart"]).toMatch(/^2\.1\.0\+[0-9a-f]{16}$/);
  });

  tell({
    "another version": {
      files,
      options,
      edit: { "site/ml-cart-2.1.0.dist-info": null, ...cart("2.1.1") },
      changed: ["ml-cart"],
    },
    "another version of a requirement": {
      files,
      options,
      edit: { "site/base_lib-1.0.dist-info": null, ...base("1.1") },
      changed: ["base_lib"],
    },
    "the same version of another build": {
      files,
      options,
      edit: cart("2.1.0", "x = 3\n"),
      changed: ["ml-cart"],
    },
    "a file edited in place": {
      files,
      options,
      edit: { "site/cart/__init__.py": "x = 22\n" },
      changed: ["ml-cart"],
    },
    "an unrelated one: nothing": {
      files,
      options,
      edit: {
        "site/unrelated-1.0.dist-info": null,
        ...distribution(site, "unrelated", "2.0", { "unrelated.py": "x = 1\n" }),
      },
      changed: [],
    },
    "a lock that promises another version: nothing": {
      files: { ...files, "requirements.txt": "ml-cart==2.1.0\n" },
      options,
      edit: { "requirements.txt": "ml-cart==3.0.0\n" },
      changed: [],
    },
    "an optional one installed later": {
      files: { "train.py": "try:\n    import fast\nexcept ImportError:\n    pass\n" },
      options,
      edit: distribution(site, "fast", "1.0", { "fast.py": "" }),
      changed: ["fast"],
    },
    "an editable install is source": {
      files: {
        "train.py": "import work\n",
        "lib/site-packages/none.txt": "",
        "work-src/work/__init__.py": "from . import inner\n",
        "work-src/work/inner.py": "x = 1\n",
      },
      options: { env: { PYTHONPATH: "work-src" } },
      edit: { "work-src/work/inner.py": "x = 2\n" },
      changed: ["work-src/work/inner.py"],
    },
  });

  test("a file edited in place with its size, seen by its time", () => {
    const { root, identify, write } = project(files);
    const past = new Date(Date.now() - 100_000);
    utimesSync(join(root, "site/ml-cart-2.1.0.dist-info/RECORD"), past, past);
    const before = identify("python3 train.py", options);
    write({ "site/cart/__init__.py": "x = 2\n" });
    expect(changes(before, identify("python3 train.py", options))).toEqual(["ml-cart"]);
    // Touched and unchanged, it is the same again.
    write({ "site/cart/__init__.py": "x = 1\n" });
    expect(changes(before, identify("python3 train.py", options))).toEqual([]);
  });

  test("a virtual environment's own site-packages, an editable install by .pth, and uv run", () => {
    const { root, identify, write } = project(
      {
        "train.py": "import cart\nimport work\n",
        "src/work/__init__.py": "x = 1\n",
        "uv.lock": "version = 1\n",
      },
      { uv: "#!/bin/sh\nexit 1\n" },
    );
    execFileSync(python, ["-m", "venv", "--without-pip", join(root, ".venv")]);
    const ask = ["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"];
    const library = execFileSync(join(root, ".venv/bin/python"), ask, { encoding: "utf8" }).trim();
    const inside = library.slice(root.length + 1);
    write({
      ...distribution(inside, "ml-cart", "1.0", { "cart.py": "" }),
      [`${inside}/work.pth`]: join(root, "src"),
    });
    write({
      "train.py": "import cart\nimport work\nimport mapped\n",
      "other/mapped_here/mapped/__init__.py": "x = 1\n",
      [`${inside}/mapped.pth`]: "import __editable___mapped_finder",
      [`${inside}/__editable___mapped_finder.py`]: `import sys\nMAPPING = {"mapped": ${JSON.stringify(join(root, "other/mapped_here/mapped"))}}\nclass Finder:\n    find_spec = None\nsys.meta_path.append(Finder)\n`,
    });
    for (const argv of [".venv/bin/python train.py", "uv run --quiet train.py", "uv run python train.py"]) {
      write({
        "src/work/__init__.py": "x = 1\n",
        ...distribution(inside, "ml-cart", "1.0", { "cart.py": "" }),
      });
      const first = identify(argv);
      expect(first.uncacheable).toEqual([]);
      expect(first.packages["ml-cart"]).toMatch(/^1\.0\+/);
      expect(Object.keys(first.parts)).toEqual(
        expect.arrayContaining(["src/work/__init__.py", "other/mapped_here/mapped/__init__.py"]),
      );
      write({
        "src/work/__init__.py": "x = 2\n",
        [`${inside}/ml-cart-1.0.dist-info`]: null,
        ...distribution(inside, "ml-cart", "1.1", { "cart.py": "" }),
      });
      expect(changes(first, identify(argv))).toEqual(["ml-cart", "src/work/__init__.py"]);
      write({ [`${inside}/ml-cart-1.1.dist-info`]: null });
    }
  });
});

describe("other commands", () => {
  tell({
    "a file named in the command": {
      files: { "config.json": "{}" },
      argv: "cat config.json",
      edit: { "config.json": "[]" },
      changed: ["config.json"],
    },
    "a file named in an argument given as pieces": {
      files: { "config.json": "{}" },
      argv: [["cat"], ["--squeeze", "-blank"], ["config", ".json"], ["--out=", null]],
      edit: { "config.json": "[]" },
      changed: ["config.json"],
    },
    "one of several files in a list": {
      files: { "a.csv": "", "b.csv": "" },
      argv: "fit --data=a.csv,b.csv",
      tools: { fit: "#!/bin/sh\n" },
      edit: { "b.csv": "1" },
      changed: ["b.csv"],
    },
    "a file named behind an option": {
      files: { "config.yaml": "a: 1\n" },
      argv: "sort --files0-from=config.yaml",
      edit: { "config.yaml": "a: 2\n" },
      changed: ["config.yaml"],
    },
    "a file in a folder named in the command": {
      files: { "conf/a.json": "1" },
      argv: "ls conf",
      edit: { "conf/b.json": "1" },
      changed: ["conf/b.json"],
    },
    "a file of a glob added": {
      files: { "train.sh": "sh steps/a.sh\n", "steps/a.sh": "true\n" },
      argv: "sh train.sh",
      options: { files: ["train.sh", "steps/**/*.sh"] },
      edit: { "steps/b/c.sh": "true\n", "steps/readme": "" },
      changed: ["steps/b/c.sh"],
    },
    "a file of a glob removed": {
      files: { "train.sh": "", "steps/a.sh": "true\n" },
      argv: "sh train.sh",
      options: { files: ["steps"] },
      edit: { "steps/a.sh": null },
      changed: ["steps/a.sh"],
    },
    "installed and generated files under a glob: nothing": {
      files: { "a.txt": "" },
      argv: "true",
      options: { files: ["**/*.txt"] },
      edit: { "node_modules/x/a.txt": "1", ".git/a.txt": "1", ".mlpipe/a.txt": "1" },
      changed: [],
    },
    "a file read by a shell's redirection": {
      files: { "words.txt": "a\n" },
      argv: ["sh", "-c", ["sort < words.txt > ", null]],
      edit: { "words.txt": "b\n" },
      changed: ["words.txt"],
    },
  });

  test("a tool replaced on PATH, and moved", () => {
    const outside = temporary();
    for (const folder of ["a", "b"]) mkdirSync(join(outside, folder));
    writeFileSync(join(outside, "a/fit"), "#!/bin/sh\necho 1\n", { mode: 0o755 });
    copyFileSync(join(outside, "a/fit"), join(outside, "b/fit"));
    const { identify } = project({});
    const through = (folder: string): CommandIdentity =>
      identify("fit --out …", { env: { PATH: `${join(outside, folder)}:/bin` } });
    const before = through("a");
    expect(changes(before, through("b"))).toEqual([]);
    writeFileSync(join(outside, "a/fit"), "#!/bin/sh\necho 2\n");
    expect(changes(before, through("a"))).toEqual(["tool fit"]);
    rmSync(join(outside, "a/fit"));
    symlinkSync("../b/fit", join(outside, "a/fit"));
    expect(changes(before, through("a"))).toEqual([]);
  });

  test("a tool installed as a Python script: its package counts, the path of its environment does not", () => {
    const { identify, write } = project({
      ...distribution("site", "ml-tool", "1.0", { "ml_tool.py": "def main(): pass\n" }),
    });
    const outside = temporary();
    const install = (shebang: string): void =>
      writeFileSync(join(outside, "ml-tool"), `${shebang}\nfrom ml_tool import main\nmain()\n`, {
        mode: 0o755,
      });
    const options = { env: { PATH: `${outside}:${dirname(python)}:/usr/bin:/bin`, PYTHONPATH: "site" } };
    install(`#!${python}`);
    const before = identify("ml-tool fit", options);
    expect(Object.keys(before.packages)).toEqual(["ml-tool"]);
    expect(before.parts).toEqual({});
    install("#!/usr/bin/env python3");
    expect(changes(before, identify("ml-tool fit", options))).toEqual([]);
    write({
      "site/ml-tool-1.0.dist-info": null,
      ...distribution("site", "ml-tool", "1.1", { "ml_tool.py": "def main(): pass\n" }),
    });
    expect(changes(before, identify("ml-tool fit", options))).toEqual(["ml-tool"]);
  });

  test("what is started behind wrappers and in a shell's text is a tool too", () => {
    const { identify } = project({});
    expect(Object.keys(identify("nice -n 4 sort …").tools)).toEqual(["nice", "sort"]);
    expect(Object.keys(identify(["sh", "-c", ["sort ", null, " | uniq -c > ", null]]).tools)).toEqual([
      "sh",
      "sort",
      "uniq",
    ]);
  });

  test("an environment that uv would have to make is not kept, whatever the files are", () => {
    const { root, identify } = project({ "train.py": "" }, { uv: "#!/bin/sh\n" });
    expect(
      identify("uv run train.py", { files: ["train.py"] }).uncacheable.map(({ message }) => message),
    ).toEqual([`uv run: the environment that it would use is not at ${join(root, ".venv")}`]);
  });

  const notKept: Readonly<
    Record<string, readonly [argv: readonly CommandArgument[] | string, message: string]>
  > = {
    "a shell script": ["sh train.sh", "train.sh is a script in a language whose imports are not followed"],
    "a shell script that is started by itself": [
      "./train.sh",
      "train.sh is a script in a language whose imports are not followed",
    ],
    "a script of R": [
      "Rscript --vanilla fit.R …",
      "fit.R is a script in a language whose imports are not followed",
    ],
    "a script given to a program that nobody knows": [
      "/usr/bin/id train.sh",
      "train.sh is a script in a language whose imports are not followed",
    ],
    "a shell's text with a variable": [
      ["sh", "-c", "python3 $SCRIPT"],
      "sh -c: $SCRIPT is computed, so what it starts cannot be told",
    ],
    "a shell's text with a port, given whole": [
      ["sh", "-c", null],
      "sh -c: its text is computed, so what it starts cannot be told",
    ],
    "a tool that finds its own instructions": [
      "git status",
      "git reads files that the command does not name",
    ],
    "the whole project as a folder": [
      "ls .",
      "the command is given the folder ., which holds the whole project",
    ],
  };
  test.each(Object.entries(notKept))("not kept: %s", (_, [argv, message]) => {
    const { identify } = project({ "train.sh": "#!/bin/sh\n", "fit.R": "" }, { Rscript: "#!/bin/sh\n" });
    expect(identify(argv).uncacheable.map((finding) => finding.message)).toContain(message);
    expect(identify(argv, { files: ["train.sh"] }).uncacheable).toEqual([]);
  });

  test("a missing program is said, whatever the files are", () => {
    const { identify } = project({ "a.txt": "" });
    expect(identify("not-installed a.txt", { files: ["a.txt"] }).uncacheable).toEqual([
      {
        message: "command not found: not-installed",
        hint: "Install it, or put its folder on PATH.",
      },
    ]);
  });

  test("a glob that matches nothing is a warning", () => {
    expect(project({}).identify("true", { files: ["*.sh"] }).warnings).toEqual([
      { message: 'files: "*.sh" matches nothing', hint: "Globs start at the project's root." },
    ]);
  });

  test("an argument that is longer than any path", () => {
    expect(project({}).identify(["echo", "x".repeat(10_000)]).uncacheable).toEqual([]);
  });

  test("a module that node runs is told to the caller", () => {
    const { root, identify } = project({ "prep.ts": "" }, { node: "#!/bin/sh\n" });
    expect(identify("node --no-warnings prep.ts --out …").typescript).toEqual([join(root, "prep.ts")]);
  });

  test("what node finds by itself is not cached", () => {
    const { root, identify } = project(
      { "dist/main.js": "", "prep.ts": "", "package.json": "{}" },
      { node: "#!/bin/sh\n" },
    );
    const said = (argv: string): readonly string[] =>
      identify(argv).uncacheable.map(({ message }) => message);
    expect(said("node --run build")).toEqual([
      "node --run reads package.json, which the command does not name",
    ]);
    expect(said("node --test")).toEqual(["node --test looks for its modules by itself"]);
    expect(said("node --max-old-space-size=4096 dist/main")).toEqual([
      "node is given no module that could be followed: dist/main",
    ]);
    expect(said("node -e import('x')")).toEqual(["what the text given to node imports is not followed"]);
    for (const argv of [
      "node --test prep.ts",
      "node --conditions dev prep.ts",
      "node --title x prep.ts",
      "node prep.ts -e 3 --run",
    ]) {
      expect(said(argv), argv).toEqual([]);
      expect(identify(argv).typescript, argv).toEqual([join(root, "prep.ts")]);
    }
  });

  test("a program of the project that is text without a first line is a script of the shell", () => {
    const { root, identify } = project({ "run.sh": "python3 train.py\n", grow: "\u007fELF\0" });
    for (const name of ["run.sh", "grow"]) chmodSync(join(root, name), 0o755);
    expect(identify("./run.sh").uncacheable.map(({ message }) => message)).toEqual([
      "run.sh is a script in a language whose imports are not followed",
    ]);
    expect(identify("./grow").uncacheable).toEqual([]);
  });

  test("unittest looks for its tests by itself", () => {
    const { identify } = project({ "test_one.py": "" });
    expect(identify("python3 -m unittest").uncacheable.map(({ message }) => message)).toEqual([
      "unittest looks for its tests by itself",
    ]);
  });

  test("many commands: one process for a Python", () => {
    const { root } = project({ "a.py": "", "b.py": "", "c.py": "" });
    const env = { PATH: `${dirname(python)}:/usr/bin:/bin` };
    const code = new CommandCode({ projectRoot: root, hash, env });
    const identities = code.identifyAll(
      ["a.py", "b.py", "c.py"].map((script) => ({ argv: ["python3", script] })),
    );
    expect(identities.map(({ parts }) => Object.keys(parts))).toEqual([["a.py"], ["b.py"], ["c.py"]]);
    expect(code.sessions.map(({ requests }) => requests.length)).toEqual([3]);
    expect(code.sessions[0]?.answer.results[0]?.files).toEqual([join(root, "a.py")]);
    expect(identities[0]?.python).toEqual({
      implementation: "CPython",
      version: expect.stringMatching(/^3\.\d+\.\d+/),
    });
  });
});
