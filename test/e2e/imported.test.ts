/** What Python had really imported is part of the record of its step: not what a lockfile promises, nor what is installed. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { Project } from "./project.ts";

const distribution = (
  name: string,
  version: string,
  extra: Record<string, string> = {},
): Record<string, string> => ({
  [`site/${name.replaceAll("-", "_")}-${version}.dist-info/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n\nText: Name: no\n`,
  ...Object.fromEntries(
    Object.entries(extra).map(([file, text]) => [
      `site/${name.replaceAll("-", "_")}-${version}.dist-info/${file}`,
      text,
    ]),
  ),
});

let project: Project;
beforeAll(() => {
  project = new Project({
    // Known by its name; by `top_level.txt`; by its files; a part of a namespace; not at all; never imported.
    ...distribution("ml-cart", "2.1.0"),
    "site/ml_cart/__init__.py": "from . import inner\n",
    "site/ml_cart/inner.py": "",
    ...distribution("PyYAML", "6.0", { "top_level.txt": "_yaml\nyaml\n" }),
    "site/yaml.py": "",
    ...distribution("Pillow", "13.0", { RECORD: "PIL/__init__.py,sha256=x,1\nPIL/Image.py,sha256=y,1\n" }),
    "site/PIL/__init__.py": "",
    "site/PIL/Image.py": "",
    ...distribution("protobuf", "7.1"),
    "site/google/protobuf/__init__.py": "",
    "site/stray.py": "",
    ...distribution("unused", "1.0"),
    "site/unused.py": "",
    "fit.py": `import sys
sys.path.insert(0, "site")
import ml_cart, yaml, PIL.Image, stray
import google.protobuf
import own
open(sys.argv[1], "w").write("1")
`,
    "own.py": "",
    "steps.ts": `import { cmd, data, file } from "mlpipe";
const files = ["site/**"];
const out = { made: file("txt") };
export const fit = data("fit", { files, outputs: out, command: (i, o) => cmd\`python3 fit.py \${o.made}\` });
export const isolated = data("isolated", { files, outputs: out, command: (i, o) => cmd\`python3 -I -c "import sys; open(sys.argv[1], 'w')" \${o.made}\` });
export const script = data("script", { outputs: out, async run(_, out) { await out.made.write("1"); } });
`,
    "line.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { fit, isolated, script } from "./steps.ts";
export default pipeline("line", z.object({}), () => { fit({}); isolated({}); script({}); return {}; });
`,
  });
});
afterAll(() => {
  project[Symbol.dispose]();
});

interface Shown {
  readonly stepRuns: readonly {
    readonly step: { readonly id: string };
    readonly imported?: {
      readonly python: string;
      readonly packages: object;
      readonly unknown?: readonly string[];
    } | null;
  }[];
}

it("distributions by version, and modules of which that cannot be told", async () => {
  const { exit } = await project.run("--force");
  expect(exit).toBe(0);
  const { stdout } = await project.mlpipe("show", "last", "--json");
  const { stepRuns } = JSON.parse(stdout) as Shown;
  const told = new Map(stepRuns.map(({ step, imported }) => [step.id, imported]));
  const imported = told.get("fit");
  expect(imported?.python).toMatch(/^3\.\d+\.\d+$/);
  expect(imported?.packages).toMatchObject({
    "ml-cart": "2.1.0",
    PyYAML: "6.0",
    Pillow: "13.0",
    protobuf: "7.1",
  });
  expect(imported?.packages).not.toHaveProperty("unused");
  expect(imported?.unknown).toEqual(["stray"]);
  // It was started so that it tells nothing, and nothing is guessed.
  expect(told.get("isolated")).toBeNull();
  expect(told.get("script")).toBeUndefined();
});
