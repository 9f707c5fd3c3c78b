/** Edits of all that is around the code: scripts, commands, variables, params, files, contracts and targets. */
import { chmodSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { distribution } from "./edited-pipeline.ts";
import { afterClean, afterFit, afterLoad, afterLook, testEdits } from "./edit-table.ts";

testEdits({
  Python: [
    ["a comment", (p) => p.edit("forest/prune.py", "# one less", "# one fewer"), {}],
    ["formatting", (p) => p.edit("forest/prune.py", "n - 1", "(n\n            -  1)"), {}],
    [
      "a docstring, which a script may read",
      (p) => p.edit("forest/grow.py", "A forest of trees.", "A forest."),
      { fit: "code: forest/grow.py changed", ...afterFit },
    ],
    [
      "a module's docstring",
      (p) => p.edit("fit.py", "Grows a forest.", "Grows trees."),
      { fit: "code: fit.py changed", ...afterFit },
    ],
    [
      "a function's body",
      (p) => p.edit("fit.py", "numlib.one", "numlib.one + 1"),
      { fit: "code: fit.py changed", ...afterFit },
    ],
    [
      "a helper by relative import",
      (p) => p.edit("forest/prune.py", "n - 1", "n - 2"),
      { fit: "code: forest/prune.py changed", ...afterFit },
    ],
    [
      "an __init__.py",
      (p) => p.edit("forest/__init__.py", "10", "20"),
      { fit: "code: forest/__init__.py changed", ...afterFit },
    ],
    ["an unrelated module", (p) => p.edit("forest/unused.py", "SystemExit", "KeyboardInterrupt"), {}],
    [
      "a module that hides an installed one",
      (p) => p.write({ "numlib.py": "one = 2\n" }),
      { fit: ["code: numlib.py was added", "package numlib 1.0+… → (none)"], ...afterFit },
    ],
    [
      "a module that hides one of the library",
      (p) => p.write({ "argparse.py": "class ArgumentParser: pass\n" }),
      { fit: "code: argparse.py was added", embed: "code: argparse.py was added", ...afterFit },
    ],
    [
      "a module started by python -m",
      (p) => p.edit("words/embed.py", "'x'", "'y'"),
      { embed: "code: words/embed.py changed" },
    ],
    [
      "a helper of a module started by python -m",
      (p) => p.edit("words/spell.py", "lower", "upper"),
      { embed: "code: words/spell.py changed" },
    ],
    [
      "an __init__.py of a module started by python -m",
      (p) => p.append("words/__init__.py", "print(1)\n"),
      { embed: "code: words/__init__.py changed" },
    ],
    [
      "a computed import",
      (p) => p.append("fit.py", "import importlib, os\nimportlib.import_module(os.environ['HOME'])\n"),
      { fit: "not cached: importlib.import_module() is given a name that is computed", ...afterFit },
    ],
    [
      "another version of a distribution",
      (p) => {
        renameSync(join(p.sitePackages, "numlib-1.0.dist-info"), join(p.sitePackages, "gone"));
        p.pip(distribution("numlib", "1.1", "one = 1.0\n"));
      },
      { fit: "package numlib 1.0+… → 1.1+…", ...afterFit },
    ],
    ["a distribution that nobody imports", (p) => p.pip(distribution("other", "1.0", "two = 2\n")), {}],
    [
      "an installed module edited in place",
      (p) => p.pip({ "numlib.py": "one = 100\n" }),
      { fit: "package numlib 1.0+… → 1.0+…", ...afterFit },
    ],
    [
      "requirements.txt, which installs nothing by itself",
      (p) => p.write({ "requirements.txt": "numlib==2\n" }),
      {},
    ],
  ],
  commands: [
    [
      "an argument",
      (p) => p.edit("steps/commands.ts", "--level 3", "--level 4"),
      {
        shrink: [
          "code: shrink in steps/commands.ts changed",
          "command shrink --level 3 --config config/shrink.toml {model} {small} → shrink --level 4 --config config/shrink.toml {model} {small}",
        ],
      },
    ],
    [
      "the order of arguments",
      (p) =>
        p.edit(
          "steps/commands.ts",
          "--level 3 --config config/shrink.toml",
          "--config config/shrink.toml --level 3",
        ),
      {
        shrink: [
          "code: shrink in steps/commands.ts changed",
          "command shrink --level 3 --config config/shrink.toml {model} {small} → shrink --config config/shrink.toml --level 3 {model} {small}",
        ],
      },
    ],
    [
      "white space between arguments",
      (p) => p.edit("steps/commands.ts", "--level 3 ", "--level   3\n      "),
      { shrink: "code: shrink in steps/commands.ts changed" },
    ],
    [
      "a file of a folder that it names",
      (p) => p.append("words/lists/common.txt", "wind\n"),
      { embed: "code: words/lists/common.txt changed" },
    ],
    [
      "a file added to a folder that it names",
      (p) => p.write({ "words/lists/rare.txt": "" }),
      { embed: "code: words/lists/rare.txt was added" },
    ],
    [
      "a project file that it names",
      (p) => p.edit("config/shrink.toml", "3", "4"),
      { shrink: "code: config/shrink.toml changed" },
    ],
    ["a project file beside it", (p) => p.write({ "config/other.toml": "" }), {}],
    [
      "a file of its globs changed",
      (p) => p.edit("rules/deep/b.txt", "b", "c"),
      { shrink: "code: rules/deep/b.txt changed" },
    ],
    [
      "a file of its globs added",
      (p) => p.write({ "rules/c.txt": "" }),
      { shrink: "code: rules/c.txt was added" },
    ],
    [
      "a file of its globs removed",
      (p) => p.remove("rules/a.txt"),
      { shrink: "code: rules/a.txt was removed" },
    ],
    ["a file of its globs touched", (p) => p.touch("rules/a.txt"), {}],
    ["a file that its globs leave out", (p) => p.edit("rules/readme.md", "The", "Our"), {}],
    [
      "a tool replaced",
      (p) => p.program("shrink", "#!/bin/sh\nhead -c 20\n"),
      { shrink: "tool shrink 128ecf6486df → 2c41b4774d76" },
    ],
    [
      "a tool found earlier on PATH",
      (p) => {
        p.program("early/shrink", "#!/bin/sh\nhead -c 20\n");
        p.env["PATH"] = `${p.folder}/bin/early:${p.env["PATH"]}`;
      },
      { shrink: "tool shrink 128ecf6486df → 2c41b4774d76" },
    ],
    [
      "the same tool found at another place",
      (p) => {
        p.program("early/shrink", "#!/bin/sh\nhead -c 10\n");
        p.env["PATH"] = `${p.folder}/bin/early:${p.env["PATH"]}`;
      },
      {},
    ],
    ["another tool on PATH", (p) => p.program("grow", "#!/bin/sh\n"), {}],
    [
      "a port in another place",
      (p) => p.edit("steps/commands.ts", "${i.model} ${o.small}", "--in ${i.model} ${o.small}"),
      {
        shrink: [
          "code: shrink in steps/commands.ts changed",
          "command shrink --level 3 --config config/shrink.toml {model} {small} → shrink --level 3 --config config/shrink.toml --in {model} {small}",
        ],
      },
    ],
  ],
  "the environment": [
    [
      "a declared variable",
      (p) => {
        p.env["REGION"] = "south";
      },
      { look: "env REGION north → south" },
    ],
    [
      "a declared variable unset",
      (p) => {
        delete p.env["REGION"];
      },
      { look: "env REGION north → (unset)" },
    ],
    [
      "a declared variable empty",
      (p) => {
        p.env["REGION"] = "";
      },
      { look: "env REGION north → " },
    ],
    [
      "an undeclared variable",
      (p) => {
        p.env["COLOUR"] = "red";
      },
      {},
    ],
    [
      "a secret rotated",
      (p) => {
        p.env["TOKEN"] = "second-secret";
      },
      {},
    ],
    [
      "a secret unset",
      (p) => {
        delete p.env["TOKEN"];
      },
      { look: "env TOKEN (a secret) → (a secret, unset)" },
    ],
    [
      "a variable declared",
      (p) => p.edit("steps/look.ts", 'env: ["REGION", ', 'env: ["REGION", "COLOUR", '),
      { look: ["code: look in steps/look.ts changed", "env COLOUR (none) → (unset)"], ...afterLook },
    ],
    [
      "a secret declared",
      (p) => p.edit("steps/look.ts", 'secret("TOKEN")', 'secret("TOKEN"), secret("KEY")'),
      { look: ["code: look in steps/look.ts changed", "env KEY (none) → (a secret, unset)"], ...afterLook },
    ],
    [
      "a variable that becomes a secret",
      (p) => p.edit("steps/look.ts", '"REGION"', 'secret("REGION")'),
      { look: ["code: look in steps/look.ts changed", "env REGION north → (a secret)"], ...afterLook },
    ],
    [
      "TZ, where it is declared",
      (p) => {
        p.env["TZ"] = "Asia/Tokyo";
      },
      { shrink: "env TZ (unset) → Asia/Tokyo" },
    ],
    [
      "HOME",
      (p) => {
        p.env["HOME"] = "/nowhere";
      },
      {},
    ],
    [
      "LANG, where it is not declared",
      (p) => {
        p.env["LANG"] = "de_DE.UTF-8";
      },
      {},
    ],
  ],
  params: [
    [
      "a param",
      (p) => p.params.push("offset=2"),
      { load: "input offset 1 → 2 (params.offset)", ...afterLoad },
    ],
    ["an unused param", (p) => p.params.push("note=hello"), {}],
    [
      "a nested param",
      (p) => p.params.push('limits={"low":0,"high":20}'),
      { clean: 'input limits {"high":10,"low":0} → {"high":20,"low":0} (params.limits)', ...afterClean },
    ],
    ["the same value otherwise spelt", (p) => p.params.push("offset=1.0", "trees=1e2"), {}],
    ["the same object in another order", (p) => p.params.push('limits={"high":10,"low":0}'), {}],
    ["a seed", (p) => p.params.push("seed=2"), { fit: "input seed 1 → 2 (params.seed)", ...afterFit }],
    [
      "an array's order",
      (p) => p.params.push('words=["sun","rain"]'),
      { embed: 'input words ["rain","sun"] → ["sun","rain"] (params.words)' },
    ],
    [
      "a text otherwise composed",
      (p) => p.params.push('words=["rain","sun\u0301"]'),
      { embed: 'input words ["rain","sun"] → ["rain","suń"] (params.words)' },
    ],
    [
      "a number for a text",
      (p) => p.params.push('words=["rain","1"]'),
      { embed: 'input words ["rain","sun"] → ["rain","1"] (params.words)' },
    ],
    [
      "a default in the schema of params",
      (p) => p.edit("rows.ts", "default(100)", "default(200)"),
      { fit: "input trees 100 → 200 (params.trees)", ...afterFit },
    ],
    ["the default given explicitly", (p) => p.params.push("trees=100"), {}],
    ["a param added", (p) => p.edit("rows.ts", "note:", "more: z.int().default(1),\n  note:"), {}],
    [
      "a value written in the pipeline",
      (p) => p.edit("days.pipeline.ts", "trees: p.trees", "trees: 100"),
      {},
    ],
    [
      "another value written in the pipeline",
      (p) => p.edit("days.pipeline.ts", "trees: p.trees", "trees: 101"),
      { fit: "input trees 100 → 101", ...afterFit },
    ],
  ],
  "files that come in": [
    [
      "its content",
      (p) => p.edit("data/days.csv", "2026-01-03,3", "2026-01-03,4"),
      { load: "input days: rows changed (3 as before) (data/days.csv)", ...afterLoad },
    ],
    [
      "a row more",
      (p) => p.append("data/days.csv", "2026-01-04,4\n"),
      { load: "input days: 1 row added (data/days.csv)", ...afterLoad },
    ],
    ["touched", (p) => p.touch("data/days.csv"), {}],
    [
      "other bytes of the same size, its time put back",
      (p) => p.rewriteInPlace("data/days.csv", "01-03,3", "01-03,4"),
      { load: "input days: rows changed (3 as before) (data/days.csv)", ...afterLoad },
    ],
    [
      "renamed",
      (p) => {
        renameSync(p.path("data/days.csv"), p.path("data/raw.csv"));
        p.edit("days.pipeline.ts", "data/days.csv", "data/raw.csv");
      },
      {},
    ],
    [
      "replaced by a link to the same content",
      (p) => {
        renameSync(p.path("data/days.csv"), p.path("data/raw.csv"));
        p.link("data/days.csv", "raw.csv");
      },
      {},
    ],
    [
      "what a link leads to",
      (p) => {
        renameSync(p.path("data/days.csv"), p.path("data/raw.csv"));
        p.link("data/days.csv", "raw.csv");
        p.append("data/raw.csv", "2026-01-04,4\n");
      },
      { load: "input days: 1 row added (data/days.csv)", ...afterLoad },
    ],
    [
      "kept as a copy",
      (p) =>
        p.edit(
          "days.pipeline.ts",
          '"data/days.csv", csv(Day)',
          '"data/days.csv", csv(Day), { keep: "copy" }',
        ),
      {},
    ],
    ["its mode", (p) => chmodSync(p.path("data/days.csv"), 0o600), {}],
    ["another file beside it", (p) => p.write({ "data/more.csv": "x\n" }), {}],
    [
      "ends of lines",
      (p) => p.write({ "data/days.csv": p.read("data/days.csv").replaceAll("\n", "\r\n") }),
      { load: "input days: rows changed (3 as before) (data/days.csv)", ...afterLoad },
    ],
    [
      "a byte order mark",
      (p) => p.prepend("data/days.csv", "\uFEFF"),
      { load: "input days: rows changed (3 as before) (data/days.csv)", ...afterLoad },
    ],
  ],
  "folders that come in": [
    [
      "a file added",
      (p) => p.write({ "data/photos/new.png": "new" }),
      { look: "input photos: new.png added (data/photos)", ...afterLook },
    ],
    [
      "a file removed",
      (p) => p.remove("data/photos/one.png"),
      { look: "input photos: one.png removed (data/photos)", ...afterLook },
    ],
    [
      "a file renamed",
      (p) => renameSync(p.path("data/photos/one.png"), p.path("data/photos/1.png")),
      { look: "input photos: 1.png added; one.png removed (data/photos)", ...afterLook },
    ],
    [
      "a file changed deep inside",
      (p) => p.edit("data/photos/old/three.png", "three", "four!"),
      { look: "input photos: old/three.png changed (data/photos)", ...afterLook },
    ],
    [
      "a file's content, its size and time as before",
      (p) => p.rewriteInPlace("data/photos/one.png", "one", "eno"),
      { look: "input photos: one.png changed (data/photos)", ...afterLook },
    ],
    [
      "a file made executable",
      (p) => chmodSync(p.path("data/photos/one.png"), 0o755),
      { look: "input photos: one.png changed (data/photos)", ...afterLook },
    ],
    ["a file made read-only", (p) => chmodSync(p.path("data/photos/one.png"), 0o444), {}],
    [
      "a link that leads elsewhere",
      (p) => {
        p.remove("data/photos/latest.png");
        p.link("data/photos/latest.png", "one.png");
      },
      { look: "input photos: latest.png changed (data/photos)", ...afterLook },
    ],
    [
      "an empty folder added",
      (p) => mkdirSync(p.path("data/photos/empty")),
      { look: "input photos: empty added (data/photos)", ...afterLook },
    ],
    [
      "times alone",
      (p) => {
        p.touch("data/photos/one.png");
        p.touch("data/photos/old");
        p.touch("data/photos");
      },
      {},
    ],
    [
      "the folder renamed",
      (p) => {
        renameSync(p.path("data/photos"), p.path("data/images"));
        p.edit("days.pipeline.ts", "data/photos", "data/images");
      },
      {},
    ],
    [
      "the folder replaced by a link to it",
      (p) => {
        renameSync(p.path("data/photos"), p.path("data/images"));
        p.link("data/photos", "images");
      },
      {},
    ],
    [
      "a link replaced by what it leads to",
      (p) => {
        p.remove("data/photos/latest.png");
        p.write({ "data/photos/latest.png": "two" });
      },
      { look: "input photos: latest.png changed (data/photos)", ...afterLook },
    ],
    [
      "two files that change places",
      (p) => {
        p.write({ "data/photos/one.png": "two", "data/photos/two.png": "one" });
      },
      { look: "input photos: one.png, two.png changed (data/photos)", ...afterLook },
    ],
    [
      "a hidden file",
      (p) => p.write({ "data/photos/.hidden": "" }),
      { look: "input photos: .hidden added (data/photos)", ...afterLook },
    ],
  ],
  "what a step is to others": [
    [
      "a port renamed",
      (p) => {
        p.edit(
          "steps/prepare.ts",
          "inputs: { rows: csv(Day), limits: Limits }",
          "inputs: { table: csv(Day), limits: Limits }",
        );
        p.edit("steps/prepare.ts", "run({ rows, limits }", "run({ table: rows, limits }");
        p.edit("days.pipeline.ts", "clean({ rows, ", "clean({ table: rows, ");
      },
      {
        clean: [
          "input port rows is gone",
          "input port table is new",
          "input table is new",
          "code: clean in steps/prepare.ts changed",
        ],
        ...afterClean,
      },
    ],
    [
      "a port's kind",
      (p) => p.edit("steps/commands.ts", 'file("bin")', 'file("dat")'),
      { shrink: ["output port small changed its kind", "code: shrink in steps/commands.ts changed"] },
    ],
    [
      "an output added",
      (p) => p.edit("steps/look.ts", "n: z.int() }", "n: z.int(), m: z.int() }"),
      { look: ["output port m is new", "code: look in steps/look.ts changed"], ...afterLook },
    ],
    [
      "an optional input port that nothing is given to",
      (p) => {
        p.edit(
          "steps/commands.ts",
          'inputs: { model: model("json") },\n  outputs: { small',
          'inputs: { model: model("json"), more: optional(model("json")) },\n  outputs: { small',
        );
        p.edit("steps/commands.ts", "model, seed", "model, optional, seed");
      },
      {
        shrink: ["input port more is new", "input more is new", "code: shrink in steps/commands.ts changed"],
      },
    ],
    [
      "a step's kind",
      (p) => {
        p.edit("steps/watch.ts", "import { data }", "import { train }");
        p.edit("steps/watch.ts", 'data("watch"', 'train("watch"');
      },
      { watch: ["kind data → train", "code: watch in steps/watch.ts changed"] },
    ],
    ["a step's id", (p) => p.edit("days.pipeline.ts", "watch({})", 'watch.as("guard")({})'), {}],
    [
      "a step called twice with the same inputs",
      (p) =>
        p.edit(
          "days.pipeline.ts",
          "const { text } = watch({});",
          'const { text } = watch({});\n  watch.as("guard")({});',
        ),
      {},
    ],
    [
      "a result that is never kept",
      (p) => p.edit("steps/watch.ts", "inputs: {},", "inputs: {},\n  cache: false,"),
      { watch: "never cached (cache: false)" },
    ],
    [
      "the names of what the pipeline returns",
      (p) => p.edit("days.pipeline.ts", "vectors, text }", "words: vectors, text }"),
      {},
    ],
  ],
  "gates and deploys": [
    [
      "a deploy's target changed by hand",
      (p) => p.write({ "deployed.json": "by hand" }),
      { publish: "deployed.json was changed since the last deploy" },
    ],
    ["a deploy's target removed", (p) => p.remove("deployed.json"), { publish: "deployed.json is gone" }],
    ["a deploy's target touched", (p) => p.touch("deployed.json"), {}],
    [
      "another target",
      (p) => p.edit("steps/deploy.ts", 'target: "deployed.json"', 'target: "elsewhere.json"'),
      { publish: ["target deployed.json → elsewhere.json", "code: publish in steps/deploy.ts changed"] },
    ],
    [
      "a limit under which the gate passes the same model",
      (p) => p.params.push("limit=2"),
      { good: "input limit 1 → 2 (params.limit)" },
    ],
  ],
});
