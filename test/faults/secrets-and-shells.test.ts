/** Promise 15: no shell ever reads a param or a file name, and secrets reach nothing that is kept or shown. */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { finished, Project } from "../e2e/project.ts";

/** Every file below a folder whose bytes hold one of these texts. */
function filesWith(folder: string, texts: readonly string[]): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).flatMap((name) => {
    const path = join(folder, name);
    if (!statSync(path).isFile()) return [];
    const bytes = readFileSync(path);
    return texts.filter((text) => bytes.includes(text)).map((text) => `${name}: ${text}`);
  });
}

/** Looks at the arguments of every process until told to stop. */
function watchArguments(texts: readonly string[]): () => readonly string[] {
  const seen = new Set<string>();
  const look = setInterval(() => {
    for (const name of readdirSync("/proc").filter((each) => /^\d+$/.test(each))) {
      try {
        const line = readFileSync(`/proc/${name}/cmdline`, "utf8");
        if (texts.some((text) => line.includes(text))) seen.add(line);
      } catch {
        // It has ended.
      }
    }
  }, 5);
  return () => {
    clearInterval(look);
    return [...seen];
  };
}

const secret = "s3cr3t/ťoken+value=?&";

describe("a secret", () => {
  it.skipIf(process.platform !== "linux")(
    "is in no log, record, key, database, object or argument, though steps print it in every way and fail with it",
    async () => {
      using project = new Project({
        "steps.ts": `import { cmd, data, file, secret } from "mlpipe";
import { z } from "zod";
const env = [secret("API_TOKEN")];
export const program = data("program", {
  outputs: { out: file("txt") },
  env,
  command: (_i, o) => cmd\`python3 call.py \${o.out}\`,
});
export const code = data("code", {
  outputs: { length: z.int() },
  env,
  async run() {
    console.log("token", process.env.API_TOKEN);
    return { length: process.env.API_TOKEN.length };
  },
});
export const broken = data("broken", {
  outputs: { n: z.int() },
  env,
  async run() {
    process.title = "title " + 1;
    throw new Error("401 for " + process.env.API_TOKEN, { cause: new Error(process.env.API_TOKEN) });
  },
});
`,
        "call.py": `import base64, os, sys, time, urllib.parse
token = os.environ["API_TOKEN"]
for stream in (sys.stdout, sys.stderr):
    print("plain", token, file=stream, flush=True)
    print("twice", token + token, file=stream, flush=True)
    for letter in token:
        stream.write(letter); stream.flush()
        time.sleep(0.01)
    print(file=stream)
time.sleep(0.3)
open(sys.argv[1], "w").write(str(len(token)))
`,
        "call.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { broken, code, program } from "./steps.ts";
export default pipeline("call", z.object({}), () => ({ out: program({}).out, length: code({}).length, n: broken({}).n }));
`,
      });
      const texts = ["s3cr3t", "ťoken"];
      const stop = watchArguments(texts);
      const env = { API_TOKEN: secret };
      const said: string[] = [];
      for (const args of [
        ["run", "--json", "--keep-going"],
        ["run", "--keep-going"],
        ["run", "--ndjson", "--keep-going", "--force"],
        ["show", "last", "--json"],
        ["logs", "last", "program"],
        ["logs", "last", "broken"],
        ["why", "broken", "--json"],
        ["plan", "--json"],
      ]) {
        const { stdout, stderr } = await finished(project.start(args, env));
        said.push(stdout, stderr);
      }
      expect(stop()).toEqual([]);
      expect(said.filter((text) => texts.some((each) => text.includes(each)))).toEqual([]);
      expect(said.join("\n")).toContain("token ***");
      expect(said.join("\n")).toContain("401 for ***");
      expect(filesWith(join(project.root, ".mlpipe"), texts)).toEqual([]);
    },
  );
});

describe("a secret that a param holds too, or that a step hands on", () => {
  it("is in no log, record, document or page, and in no word of plan or why", async () => {
    using project = new Project({
      "steps.ts": `import { data, secret } from "mlpipe";
import { z } from "zod";
export const ask = data("ask", {
  inputs: { url: z.string() },
  outputs: { told: z.string() },
  env: [secret("API_TOKEN")],
  async run({ url }) {
    console.log(url);
    return { told: "with " + process.env.API_TOKEN };
  },
});
export const pass = data("pass", {
  inputs: { url: z.string(), told: z.string() },
  outputs: { n: z.int() },
  async run({ url, told }) {
    console.log(url, told);
    return { n: url.length };
  },
});
`,
      "hand.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { ask, pass } from "./steps.ts";
export default pipeline("hand", z.object({ url: z.string() }), ({ url }) => ({
  n: pass({ url, told: ask({ url }).told }).n,
}));
`,
    });
    const texts = ["s3cr3t", "ťoken"];
    const env = { API_TOKEN: secret };
    const said: string[] = [];
    for (const [args, given] of [
      [["run", "--json", "-s", "url=http://a.example"], env],
      [["run", "-s", `url=http://me:${secret}@a.example`], env],
      [["plan", "--json", "-s", `url=http://you:${secret}@a.example`], env],
      [["why", "pass", "-s", `url=http://you:${secret}@a.example`], env],
      [["run", "--ndjson", "-s", `url=http://you:${secret}@a.example`], env],
      [["why", "pass", "-s", "url=http://b.example"], {}],
      [["logs", "last", "pass"], {}],
      [["show", "last", "--json"], {}],
      [["report", "-o", "-"], {}],
      [["export", "last", "--format", "rocrate", "-o", "crate"], {}],
    ] as const) {
      const { exit, stdout, stderr } = await finished(project.start(args, given));
      expect(exit, stderr).toBe(0);
      said.push(stdout, stderr);
    }
    expect(said.filter((text) => texts.some((each) => text.includes(each)))).toEqual([]);
    expect(said.join("\n")).toContain("http://you:***@a.example with ***");
    // What a step makes is kept as it is, and this one made a secret.
    const kept = ["objects", "artifacts"];
    const isMade = (file: string): boolean => kept.some((folder) => file.startsWith(`${folder}/`));
    expect(filesWith(join(project.root, ".mlpipe"), texts).filter((file) => !isMade(file))).toEqual([]);
  });
});

describe("params and names of files", () => {
  it("reach programs as they are, whatever a shell would make of them", async () => {
    const hostile = `$(touch injected) \`touch injected\` ; touch injected & | > injected * ~ ' " \\ -rf \n %s {} $HOME !!`;
    const name = "--help; $(touch injected) `touch injected` ' \" é .txt";
    using project = new Project({
      "steps.ts": `import { cmd, data, dir, file } from "mlpipe";
import { z } from "zod";
export const tell = data("tell", {
  inputs: { text: z.string(), source: file("txt"), folder: dir() },
  outputs: { out: file("txt"), folder: dir() },
  command: (i, o) => cmd\`python3 tell.py \${o.out} \${o.folder} \${i.source} \${i.folder} \${i.text} --x=\${i.text}\`,
});
`,
      "tell.py": `import json, os, shutil, sys
out, folder, source, given, *texts = sys.argv[1:]
for name in os.listdir(given): shutil.copy(os.path.join(given, name), os.path.join(folder, name))
json.dump([texts, open(source).read(), sorted(os.listdir(given))], open(out, "w"))
`,
      "tell.pipeline.ts": `import { dir, file, pipeline, source } from "mlpipe";
import { z } from "zod";
import { tell } from "./steps.ts";
export default pipeline("tell", z.object({ text: z.string(), source: z.string() }), (p) =>
  tell({ text: p.text, source: source(p.source, file("txt")), folder: source("given", dir()) }),
);
`,
      [name]: "the source",
    });
    project.write({ [join("given", name)]: "in a folder" });
    writeFileSync(join(project.root, "given", "two\nlines"), "x");
    const run = await project.run("-s", `text=${hostile}`, "-s", `source=${name}`);
    expect(run.exit, JSON.stringify(run)).toBe(0);
    expect(JSON.parse(project.read("artifacts/tell/out.txt"))).toEqual([
      [hostile, `--x=${hostile}`],
      "the source",
      [name, "two\nlines"].toSorted(),
    ]);
    expect(project.read(join("artifacts/tell/folder", name))).toBe("in a folder");
    expect(existsSync(join(project.root, "injected"))).toBe(false);
  });

  it("that look like options of mlpipe's own tools are refused or harmless", async () => {
    using project = new Project({
      "steps.ts": `import { cmd, data, file } from "mlpipe";
export const copy = data("copy", {
  inputs: { text: file("txt") },
  outputs: { out: file("txt") },
  command: (i, o) => cmd\`cp \${i.text} \${o.out}\`,
});
`,
      "copy.pipeline.ts": `import { file, pipeline, source } from "mlpipe";
import { z } from "zod";
import { copy } from "./steps.ts";
export default pipeline("copy", z.object({ source: z.string() }), (p) => copy({ text: source(p.source, file("txt")) }));
`,
      "--backup=x": "dashes",
      "-e": "an option of many",
    });
    for (const name of ["--backup=x", "-e"]) {
      expect((await project.run("-s", `source=${name}`)).exit).toBe(0);
      expect(project.read("artifacts/copy/out.txt")).toBe(project.read(name));
    }
  });
});
