/** Runs in MLflow: sent to a real server, afterwards and as they go on, and read back with MLflow's own client. */
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { exportedRun, mlflowAddress, MlflowServer, MlflowSink } from "@mlpipe/provenance/export";
import { openStore } from "@mlpipe/store";
import { afterAll, beforeAll, expect, it } from "vitest";
import { finished, Project } from "../e2e/project.ts";
import { smallPipeline } from "../e2e/small-pipeline.ts";
import { type Break, BreakableWay, type InMlflow, type MlflowRun, RealMlflow } from "./mlflow-server.ts";

/** Names and values that MLflow does not take as they are: brackets, umlauts, long texts, many metrics, a folder. */
const awkward: Readonly<Record<string, string>> = {
  ...smallPipeline,
  "steps/many.ts": `import { data, evaluate, metrics, model, train } from "mlpipe";
import { mkdir, writeFile } from "node:fs/promises";
import { z } from "zod";
export const learn = train("learn", {
  inputs: { size: z.string(), text: z.string() },
  outputs: { net: model("folder") },
  async run({ size }, out) {
    await mkdir(out.net.path + "/deep er", { recursive: true });
    await writeFile(out.net.path + "/a+ü.txt", size);
    await writeFile(out.net.path + "/deep er/50%.txt", "half");
  },
});
const names = Object.fromEntries(Array.from({ length: 1500 }, (_, i) => ["m" + i, "min"]));
export const measure = evaluate("measure", {
  inputs: { net: model("folder") },
  outputs: { metrics: metrics(names) },
  async run() {
    return { metrics: Object.fromEntries(Object.keys(names).map((name, i) => [name, i / 2])) };
  },
});
`,
  "awkward.pipeline.ts": `import { each, pipeline } from "mlpipe";
import { z } from "zod";
import { learn, measure } from "./steps/many.ts";
const Params = z.object({ "größe (cm)": z.int().default(3), "größe [cm]": z.int().default(4), long: z.string().default("ü😀".repeat(4000)), nested: z.object({ a: z.int() }).default({ a: 1 }) });
export default pipeline("awkward", Params, (p) => {
  const nets = each(["x", "y"], (size) => "size=" + size, (size) => learn({ size, text: p.long }).net);
  return { scores: measure({ net: learn.as("alone")({ size: "z", text: "" }).net }).metrics, nets };
});
`,
};

const mlflow = new RealMlflow();
const way = new BreakableWay(mlflow);
let project: Project;
let strange: Project;
/** A server that takes requests and never answers, and a run that it is to be shown: that takes its time. */
const silence = new BreakableWay(mlflow);
let unheard: Project;
let unheardRun: ReturnType<typeof finished>;
beforeAll(async () => {
  silence.answer = "never";
  unheard = new Project(smallPipeline);
  const before = performance.now();
  unheardRun = finished(unheard.start(["run", "-s", "limit=9"], { MLPIPE_MLFLOW: await silence.url() })).then(
    (done) => {
      expect(performance.now() - before).toBeLessThan(60_000);
      return done;
    },
  );
  project = new Project(smallPipeline);
  strange = new Project(awkward);
  await mlflow.start();
}, 180_000);
afterAll(async () => {
  project[Symbol.dispose]();
  strange[Symbol.dispose]();
  unheard[Symbol.dispose]();
  await silence[Symbol.asyncDispose]();
  await way[Symbol.asyncDispose]();
  await mlflow[Symbol.asyncDispose]();
});

const experiment = (all: InMlflow, name: string): InMlflow["experiments"][number] => {
  const found = all.experiments.filter((each) => each.name === name);
  expect(found).toHaveLength(1);
  const [first] = found;
  if (first === undefined) throw new Error(`no experiment ${name}`);
  return first;
};

/** The run of a run, and those of its steps by id. */
function logged(
  all: InMlflow,
  name: string,
  run: string,
): { parent: MlflowRun; steps: Record<string, MlflowRun> } {
  const runs = experiment(all, name).runs.filter(({ tags }) => tags["mlpipe.runId"] === run);
  const [parent, ...others] = runs.filter(({ tags }) => tags["mlpipe.step"] === undefined);
  if (parent === undefined) throw new Error(`no run for ${run}`);
  expect(others).toEqual([]);
  const children = runs.filter((each) => each !== parent);
  const steps = Object.fromEntries(children.map((each) => [each.tags["mlpipe.step"] ?? "", each]));
  expect(Object.keys(steps)).toHaveLength(children.length);
  for (const { tags } of children) expect(tags["mlflow.parentRunId"]).toBe(parent.id);
  return { parent, steps };
}

it("a run is shown as it goes on, and is there afterwards as MLflow's own client reads it", async () => {
  const child = project.start(["run", "--json", "-s", "limit=9", "--mlflow", mlflow.url], {
    MLFLOW_TRACKING_USERNAME: "ada",
    MLFLOW_TRACKING_PASSWORD: "not-asked-for",
  });
  const { exit, stdout, stderr } = await finished(child);
  expect(exit, stderr).toBe(0);
  expect(stderr).toMatch(/^MLflow: http:\/\/127\.0\.0\.1:\d+\/#\/experiments\/\d+\/runs\/[0-9a-f]{32}$/m);
  expect(stderr).not.toMatch(/has not all/);
  const first = JSON.parse(stdout) as {
    run: string;
    steps: { id: string; key: string; stepRun: string; outputs: Record<string, { digest: string }> }[];
  };
  // A second run takes most from the first; what it made again is the same model.
  const second = await project.run("-s", "limit=8");
  const sent = await project.mlpipe("export", second.run, "--to", `mlflow=${mlflow.url}`, "--json");
  expect(JSON.parse(sent.stdout), sent.stderr).toMatchObject({
    schemaVersion: 1,
    run: second.run,
    remarks: [],
  });

  const all = await mlflow.read();
  const { parent, steps } = logged(all, "line", first.run);
  expect(parent).toMatchObject({
    status: "FINISHED",
    params: { from: "5", limit: "9", seed: "1", shrink: "1" },
    metrics: { "score/mae": "0.0" },
    tags: { "mlpipe.status": "succeeded", "mlpipe.steps": "5 ran", "mlflow.source.name": "line.pipeline.ts" },
  });
  expect(Object.keys(steps).toSorted()).toEqual(["fit", "good-enough", "publish", "score", "split"]);
  const { fit, score, split } = steps;
  const trained = first.steps.find(({ id }) => id === "fit");
  expect(fit).toMatchObject({
    status: "FINISHED",
    params: { shrink: "1", seed: "1" },
    tags: {
      "mlpipe.stepKey": `sha256:${trained?.key}`,
      "mlpipe.stepRun": trained?.stepRun,
      "mlpipe.cached": "false",
    },
  });
  const data = first.steps.find(({ id }) => id === "split")?.outputs["train"]?.digest ?? "";
  expect(fit?.datasets).toMatchObject([
    {
      name: "split.train",
      digest: data.slice(0, 36),
      tags: { "mlpipe.sha256": data, "mlflow.data.context": "training" },
    },
  ]);
  expect(split?.datasets).toMatchObject([
    { name: "data/points.csv", profile: expect.stringContaining('"num_rows":6') },
  ]);
  expect(split?.datasets[0]?.source).toContain(`${project.root}/data/points.csv`);
  expect(score?.metrics).toEqual({ mae: "0.0" });
  // The model is a thing of its own: made by one run, read and measured by another.
  const models = experiment(all, "line").models;
  expect(models).toMatchObject([
    { status: "READY", tags: { "mlpipe.digest": trained?.outputs["model"]?.digest } },
  ]);
  expect([fit?.made, score?.read]).toEqual([[models[0]?.id], [models[0]?.id]]);
  // One content is one version, also when two runs lead to it.
  const registered = all.registered.filter(({ name }) => name === "line.model");
  expect(registered).toMatchObject([
    { aliases: { approved: "1", deployed: "1" }, versions: [{ version: "1" }] },
  ]);
  expect(all.files["line.model@deployed"]).toEqual({
    "model.json": project.read("artifacts/line/model.json"),
  });

  const reused = logged(all, "line", second.run);
  expect(reused.parent.tags["mlpipe.steps"]).toBe("4 cached, 1 ran");
  expect(reused.steps["fit"]?.tags).toMatchObject({
    "mlpipe.cached": "true",
    "mlpipe.status": "cached",
    "mlpipe.originalRunId": first.run,
    "mlpipe.originalMlflowRunId": fit?.id,
  });
});

it("what MLflow would refuse is changed as little as it takes, and said", async () => {
  const { run } = await strange.run("awkward.pipeline.ts");
  const sent = await strange.mlpipe("export", run, "--to", `mlflow=${await way.url()}`);
  expect([sent.exit, sent.stderr]).toEqual([0, expect.stringContaining("is in MLflow: ")]);
  const all = await mlflow.read();
  const { parent, steps } = logged(all, "awkward", run);
  expect(parent.params["long"]).toBe(`${"ü😀".repeat(3_000).slice(0, -2)}…`);
  expect(parent.params["nested"]).toBe('{"a":1}');
  expect(parent.tags["mlpipe.cutParams"]).toBe("long");
  expect(Object.keys(parent.metrics)).toHaveLength(1_500);
  expect(parent.metrics["measure/m1499"]).toBe("749.5");
  expect(steps["measure"]?.metrics["m1"]).toBe("0.5");
  expect(steps["learn[size=x]"]?.params).toMatchObject({ size: "x" });
  expect(Object.entries(parent.params).filter(([key]) => key.startsWith("größe"))).toMatchObject([
    [expect.stringMatching(/^größe _cm_-[0-9a-f]{8}$/), expect.anything()],
    [expect.stringMatching(/^größe _cm_-[0-9a-f]{8}$/), expect.anything()],
  ]);
  expect(all.registered.map(({ name }) => name)).toEqual(["line.model"]);
  const files = way.seen
    .filter(({ method }) => method === "PUT")
    .map(({ path }) => path.split("/artifacts/").at(-1));
  expect(files.filter((file) => file?.startsWith("net.folder/a"))).toEqual(
    Array.from({ length: 3 }, () => "net.folder/a%2B%C3%BC.txt"),
  );
});

it("whatever request a server dies at, the next export completes the run, and a third changes nothing", async () => {
  using store = openStore(join(project.root, ".mlpipe"));
  const url = await way.url();
  const address = mlflowAddress(url, {});
  if (address === undefined) throw new Error("no address");
  const put = async (run: string): Promise<void> => {
    const exported = exportedRun(store, run);
    if (exported === undefined) throw new Error(`no run ${run}`);
    way.seen.length = 0;
    await new MlflowSink(new MlflowServer(address), store).put(exported);
  };
  const died: { readonly run: string; readonly at: string; readonly how: Break }[] = [];
  for (const [at, how] of [
    ["mlflow/runs/create", "after"],
    ["mlflow/logged-models", "after"],
    ["mlflow/runs/outputs", "after"],
    ["mlflow/model-versions/create", "after"],
    ["mlflow/registered-models/alias", "before"],
  ] as const) {
    // Other bytes each time, or there would be nothing to upload.
    const { run } = await project.run("-s", `shrink=${1 + (died.length + 1) / 1000}`, "-s", "limit=99");
    way.breaksAt = at;
    way.how = how;
    await expect(put(run), `${how} ${at}`).rejects.toThrow("no answer from");
    way.mend();
    await put(run);
    const requests = way.seen.length;
    await put(run);
    // The experiment and the runs are looked for, and nothing is written.
    expect(way.seen.map(({ path }) => path.split("?")[0]?.split("/mlflow/")[1])).toEqual([
      "experiments/get-by-name",
      "runs/search",
    ]);
    expect(requests).toBeGreaterThan(2);
    died.push({ run, at, how });
  }
  const all = await mlflow.read();
  for (const { run, at, how } of died) {
    const { parent, steps } = logged(all, "line", run);
    expect(
      Object.values(steps).map(({ status }) => status),
      `${how} ${at}`,
    ).toEqual(Array.from({ length: 5 }, () => "FINISHED"));
    expect([parent.status, Object.keys(parent.metrics)]).toEqual(["FINISHED", ["score/mae"]]);
    expect(steps["fit"]?.made, `${how} ${at}`).toHaveLength(1);
    expect(steps["score"]?.read, `${how} ${at}`).toEqual(steps["fit"]?.made);
    expect(steps["fit"]?.datasets).toHaveLength(1);
  }
  const models = experiment(all, "line").models;
  expect(new Set(models.map(({ tags }) => tags["mlpipe.digest"])).size).toBe(models.length);
  const [registered] = all.registered;
  expect(registered?.versions).toHaveLength(died.length + 1);
  expect(new Set(registered?.versions.map(({ tags }) => tags["mlpipe.digest"])).size).toBe(died.length + 1);
  // The last that was deployed has the alias, and an export of the first run does not take it back.
  const last = registered?.versions.find(({ tags }) => tags["mlpipe.runId"] === died.at(-1)?.run)?.version;
  expect(registered?.aliases["deployed"]).toBe(last);
  expect(all.files["line.model@deployed"]).toEqual({ "model.json": project.read("deployed/model.json") });
});

it.each([
  [
    "refuses",
    { status: 500, body: "<html><style>p{}</style><p>out of order</p></html>" },
    /answered 500 Internal Server Error: out of order/,
  ],
  [
    "is something else",
    { status: 200, body: "<h1>Welcome</h1>" },
    /is no server of MLflow: it answered Welcome/,
  ],
  ["answers everything with nothing", { status: 200, body: "{}" }, /is no server of MLflow/],
] as const)(
  "a server that %s does not fail the run, and the run says how to send it later",
  async (_, answer, reason) => {
    way.answer = answer;
    way.seen.length = 0;
    const url = await way.url();
    const { exit, stdout, stderr } = await finished(
      project.start(["run", "--json", "-s", "limit=7", "--mlflow", url.replace("//", "//ada:its-secret@")]),
    );
    expect(exit, stderr).toBe(0);
    expect(stderr.split("\n").filter((line) => line.includes("MLflow"))).toEqual([
      expect.stringMatching(reason),
    ]);
    const { run } = JSON.parse(stdout) as { run: string };
    expect(stderr).toContain(`mlpipe export ${run} --to mlflow=${url.slice(0, -1)} completes it.`);
    expect(way.seen.length).toBeLessThan(4);
    expect(way.seen[0]?.headers.authorization).toBe(
      `Basic ${Buffer.from("ada:its-secret").toString("base64")}`,
    );
    const shown = await project.mlpipe("show", run, "--json");
    expect(`${stderr}${shown.stdout}`).not.toContain("its-secret");
    way.answer = undefined;
  },
);

it("a server that never answers holds a run up for seconds, and no longer", async () => {
  const { exit, stderr } = await unheardRun;
  expect(exit, stderr).toBe(0);
  expect(stderr).toMatch(
    /MLflow has not all of this run: there was no time left\. mlpipe export [0-9a-f-]{36} --to mlflow=/,
  );
  expect(silence.seen).toHaveLength(1);
});

it("a run that fails, and one that is killed, are what they are in MLflow too", async () => {
  const broken = new Project({ ...smallPipeline, "fit.py": "import time\ntime.sleep(60)\n" });
  try {
    way.seen.length = 0;
    const child = broken.start(["run", "--mlflow", await way.url()]);
    // The run, the first step, and the one that is to be killed.
    const created = (): number => way.seen.filter(({ path }) => path.endsWith("runs/create")).length;
    while (created() < 3 && child.exitCode === null) await pause(20);
    await pause(300);
    child.kill("SIGKILL");
    await finished(child);
    const killed = JSON.parse((await broken.mlpipe("show", "last", "--json")).stdout) as {
      run: { id: string };
    };
    broken.write({ "fit.py": 'raise SystemExit("no convergence")\n' });
    const failed = await broken.run();
    for (const id of [killed.run.id, failed.run]) {
      const sent = await broken.mlpipe("export", id, "--to", `mlflow=${mlflow.url}`);
      expect(sent.exit, sent.stderr).toBe(0);
    }
    const all = await mlflow.read();
    const first = logged(all, "line", killed.run.id);
    expect([first.parent.status, first.parent.tags["mlpipe.status"]]).toEqual(["KILLED", "crashed"]);
    expect([first.steps["split"]?.status, first.steps["fit"]?.status]).toEqual(["FINISHED", "KILLED"]);
    const second = logged(all, "line", failed.run);
    expect([second.parent.status, second.steps["fit"]?.status]).toEqual(["FAILED", "FAILED"]);
    expect(second.parent.tags["mlpipe.error"]).toContain("MLP3");
    expect(second.steps["score"]).toBeUndefined();
  } finally {
    broken[Symbol.dispose]();
  }
});

it("an address that is none is a mistake on the command line, and a remark in a variable", async () => {
  const cases: readonly (readonly [string, number, ...(readonly string[])])[] = [
    ["MLP6010", 2, "run", "--mlflow", "localhost:5000"],
    ["MLP6010", 2, "export", "last", "--to", "mlflow=nowhere"],
    ["MLP6010", 2, "export", "last", "--to", "mlflow"],
    ["MLP6010", 2, "export", "last", "--to", mlflow.url],
    ["MLP6010", 2, "export", "last", "--format", "slsa", "--to", `mlflow=${mlflow.url}`],
    ["MLP5014", 4, "export", "last", "--to", "mlflow=http://127.0.0.1:9"],
  ];
  for (const [code, exit, ...args] of cases) {
    const done = await project.mlpipe(...args);
    expect([done.exit, done.stdout, done.stderr]).toEqual([exit, "", expect.stringContaining(code)]);
  }
  const { exit, stderr } = await finished(
    project.start(["run", "-s", "limit=7"], { MLPIPE_MLFLOW: "not a url" }),
  );
  expect([exit, stderr]).toEqual([0, expect.stringContaining("MLPIPE_MLFLOW is no address")]);
});
