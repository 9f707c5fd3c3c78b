/**
 * Promise 14: what lies in a folder comes back as it was, or is refused by name: names with anything in them, forms of
 * one letter, links, modes, empty folders. And contents that differ have keys that differ.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, lstatSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Project } from "../e2e/project.ts";

const making = (py: string): Readonly<Record<string, string>> => ({
  "make.py": `import os, socket, sys\nos.umask(0o022)\nos.chdir(sys.argv[1])\n${py}`,
  "steps.ts": `import { cmd, data, dir } from "mlpipe";
export const make = data("make", {
  outputs: { folder: dir() },
  command: (_i, o) => cmd\`python3 make.py \${o.folder}\`,
});
export const copy = data("copy", {
  inputs: { folder: dir() },
  outputs: { folder: dir() },
  command: (i, o) => cmd\`cp -a \${i.folder}/. \${o.folder}\`,
});
`,
  "make.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { copy, make } from "./steps.ts";
export default pipeline("make", z.object({}), () => copy({ folder: make({}).folder }));
`,
});

/** Everything below a folder: name in bytes, sort, whether it is executable, content. */
function listing(folder: string): readonly string[] {
  const list = (path: Buffer, prefix: string): readonly string[] =>
    readdirSync(path, { encoding: "buffer", withFileTypes: true }).flatMap(({ name }) => {
      const inner = Buffer.concat([path, Buffer.from("/"), name]);
      const shown = `${prefix}${name.toString("latin1")}`;
      const stat = lstatSync(inner);
      if (stat.isSymbolicLink()) return [`${shown} -> ${readlinkSync(inner)}`];
      if (stat.isDirectory()) return [`${shown}/`, ...list(inner, `${shown}/`)];
      return [`${shown} ${(stat.mode & 0o100) === 0 ? "" : "x "}${readFileSync(inner, "latin1")}`];
    });
  return list(Buffer.from(folder), "").toSorted();
}

const everything = `
def put(name, text=None):
    with open(name, "w") as f: f.write(name if text is None else text)
for name in ["-rf", "--help", " lead", "trail ", "a b", "new\\nline", "tab\\t", "quote'", 'double"', "back\\\\slash", "$(x)",
             "\`x\`", "*", "?", "~", "#", "%s", "{}", ".hidden", "...", "con", "a:b", "\\x01", "\\x7f", "\\x1b[31m",
             "caf\\u00e9", "cafe\\u0301", "\\u202e", "\\U0001F40E", "n" * 255, "\\u00e9" * 127, "CASE", "case",
             "__proto__", "constructor", "a.tree", "a.json", "0", "00"]:
    put(name)
put("empty", "")
put("run.sh", "#!/bin/sh"); os.chmod("run.sh", 0o755)
put("private", "x"); os.chmod("private", 0o600)
put("locked", "x"); os.chmod("locked", 0o444)
os.makedirs("deep/" + "/".join(["d" * 50] * 20)); put("deep/" + "/".join(["d" * 50] * 20) + "/leaf")
os.mkdir("nothing"); os.makedirs("nothing-in/nothing-in")
os.symlink("run.sh", "link"); os.symlink("nowhere", "dangling"); os.symlink("deep", "to-folder"); os.symlink("../run.sh", "nothing-in/up")
os.symlink("new\\nline", "to-odd")
`;

describe("a folder that a step makes", () => {
  it("comes back as it was: through the store, through another step, into artifacts and out with get", async () => {
    using project = new Project(making(everything));
    const run = await project.run();
    expect(run.exit, JSON.stringify(run.steps.map(({ error }) => error))).toBe(0);
    // Made once more beside it, by the same script.
    mkdirSync(join(project.root, "expected"));
    const { status, stderr } = spawnSync("python3", ["make.py", "expected"], {
      cwd: project.root,
      encoding: "utf8",
    });
    expect(status, stderr).toBe(0);
    const expected = listing(join(project.root, "expected"));
    expect(expected.length).toBeGreaterThan(60);
    expect(listing(join(project.root, "artifacts/make/folder"))).toEqual(expected);
    const got = await project.mlpipe("get", "copy.folder", "-o", "out");
    expect(got.exit, got.stderr).toBe(0);
    expect(listing(join(project.root, "out"))).toEqual(expected);
    // Copied with all that it holds, it has the digest of what it was copied from.
    expect(run.steps[1]?.outputs["folder"]?.digest).toBe(run.steps[0]?.outputs["folder"]?.digest);
    expect(await project.statuses()).toEqual({ cached: ["make", "copy"] });
  });

  it.each([
    ["a name that is no UTF-8", `open(b"bad\\xff\\xfe", "w").close()`, "bad"],
    ["a pipe", `os.mkfifo("pipe")`, "pipe"],
    ["a socket", `socket.socket(socket.AF_UNIX).bind("socket")`, "socket"],
  ] as const)("with %s in it is refused by name, and nothing of it is kept", async (_what, py, name) => {
    using project = new Project(making(`open("fine", "w").close()\n${py}`));
    const { exit, stdout, stderr } = await project.mlpipe("run", "--json");
    // The step's own failure, not one of the run.
    expect(exit, stderr).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      status: "failed",
      steps: [{ error: { code: "MLP4007" } }, {}],
    });
    expect(stdout).toContain(name);
    project.write({ "make.py": making(`open("fine", "w").close()`)["make.py"] ?? "" });
    expect(await project.statuses()).toEqual({ ran: ["make", "copy"] });
  });

  it("differs in its digest when anything of it differs", async () => {
    const variants = [
      ``,
      `open("a", "w").close()`,
      `open("b", "w").close()`,
      `open("a", "w").write("b")`,
      `open("a", "w").close(); os.chmod("a", 0o755)`,
      `os.mkdir("a")`,
      `os.mkdir("a"); open("a/a", "w").close()`,
      `os.mkdir("a"); os.mkdir("a/a")`,
      `os.symlink("b", "a")`,
      `os.symlink("c", "a")`,
      `open("a", "w").write("link b")`,
      `open("a", "w").close(); open("b", "w").close()`,
      `open("a\\nb", "w").close()`,
      `open("caf\\u00e9", "w").close()`,
      `open("cafe\\u0301", "w").close()`,
      `open("A", "w").close()`,
    ];
    using project = new Project({
      "make.py": `import json, os, sys\nos.umask(0o022)\nos.chdir(sys.argv[1])\nexec(sys.argv[2])\n`,
      "steps.ts": `import { cmd, data, dir } from "mlpipe";
import { z } from "zod";
export const make = data("make", {
  inputs: { code: z.string() },
  outputs: { folder: dir() },
  command: (i, o) => cmd\`python3 make.py \${o.folder} \${i.code}\`,
});
`,
      "make.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { make } from "./steps.ts";
const variants = ${JSON.stringify(variants)};
export default pipeline("make", z.object({}), () =>
  Object.fromEntries(variants.map((code, n) => [\`m\${n}\`, make.as(\`make-\${n}\`)({ code }).folder])),
);
`,
    });
    const run = await project.run();
    expect(run.exit).toBe(0);
    const digests = new Set(run.steps.map(({ outputs }) => outputs["folder"]?.digest));
    expect(digests.size).toBe(variants.length);
  });
});

describe("params that differ", () => {
  it("have keys that differ, however alike they look", async () => {
    const values = [
      "null",
      "0",
      "false",
      '""',
      '"0"',
      "[]",
      "{}",
      "[[]]",
      "[{}]",
      '["a","b"]',
      '["a,b"]',
      '["ab"]',
      '[["a"],["b"]]',
      '{"a":1}',
      '{"a":"1"}',
      '{"__proto__":1}',
      '{"constructor":1}',
      '{"a":{"b":1}}',
      '{"a.b":1}',
      '"\\u00e9"',
      '"e\\u0301"',
      "1.0000000000000002",
      "1",
      "1e21",
      "123456789012345680000",
      '"2026-01-01"',
    ];
    using project = new Project({
      "steps.ts": `import { data } from "mlpipe";
import { z } from "zod";
export const tell = data("tell", {
  inputs: { value: z.any() },
  outputs: { text: z.string() },
  run: ({ value }) => ({ text: JSON.stringify(value) }),
});
`,
      "tell.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { tell } from "./steps.ts";
const values = JSON.parse(${JSON.stringify(JSON.stringify(values))});
export default pipeline("tell", z.object({ bad: z.int().optional() }), (p) => {
  const all = p.bad === undefined ? values : ["1e400", '"\\\\ud800"'].slice(p.bad).slice(0, 1);
  return Object.fromEntries(
    all.map((value, n) => [\`t\${n}\`, tell.as(\`tell-\${n}\`)({ value: JSON.parse(value) }).text]),
  );
});
`,
    });
    const { stdout, exit } = await project.mlpipe("plan", "--json");
    expect(exit, stdout).toBe(0);
    const { steps } = JSON.parse(stdout) as { steps: readonly { key: string }[] };
    const alike = Map.groupBy(values, (_, n) => steps[n]?.key);
    expect([...alike.values()].filter((each) => each.length > 1)).toEqual([]);
    // What no JSON can say, infinity and half a character, is refused.
    for (const bad of [0, 1]) {
      const refused = await project.mlpipe("plan", "--json", "-s", `bad=${bad}`);
      expect([refused.exit, refused.stdout.includes("MLP1008")]).toEqual([2, true]);
    }
  });
});
