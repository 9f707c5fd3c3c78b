/** What a user sees of the language at run time: wiring, manifests, and every misuse named. */
import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  approved,
  cmd,
  csv,
  data,
  deploy,
  each,
  evaluate,
  file,
  gate,
  many,
  metrics,
  MlpipeError,
  model,
  onnx,
  optional,
  pipeline,
  type PipelineOutputs,
  secret,
  seed,
  source,
  train,
} from "./index.ts";
import { type Manifest, ManifestSchema, manifestJsonSchema } from "./manifest.ts";

const Day = z.object({ date: z.iso.date(), rain: z.number() });
const otherLoad = data("load", { outputs: { days: csv(Day) }, async run() {} });
const load = data("load", { outputs: { days: csv(Day), rows: z.int() }, run: () => ({ rows: 1 }) });
const fit = train("fit", {
  inputs: { days: csv(Day), trees: z.int(), seed: seed(), champion: optional(onnx()) },
  outputs: { model: onnx() },
  command: (i, o) => cmd`python fit.py --data ${i.days} --trees=${i.trees} '--note=a b' ${o.model}`,
});
const score = evaluate("score", {
  inputs: { model: onnx(), days: csv(Day) },
  outputs: { metrics: metrics({ mae: "min" }) },
  run: () => ({ metrics: { mae: 1 } }),
});
const check = gate("check", {
  inputs: { model: onnx(), metrics: metrics({ mae: "min" }) },
  pass: "model",
  check: () => true,
});
const publish = deploy("publish", { inputs: { model: approved(onnx()) }, target: "deployed", run() {} });

const Params = z.object({ trees: z.int().default(10) });

async function manifestOf(
  build: (p: { trees: number }) => PipelineOutputs,
  params: unknown = {},
): Promise<Manifest> {
  const built = await pipeline("test", Params, build).build(params);
  return built.toManifest({
    file: "test.pipeline.ts",
    relative: (path) => path.slice(path.lastIndexOf("/") + 1),
    locate: (definition) => ({ module: "steps.ts", export: definition.name }),
  });
}

async function errorOf(build: (p: { trees: number }) => unknown, params: unknown = {}): Promise<MlpipeError> {
  // Misuse that the compiler would refuse is what these tests are about.
  const error: unknown = await manifestOf(build as () => PipelineOutputs, params).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof MlpipeError) return error;
  throw new Error(`expected a coded error, got ${String(error)}`);
}

/** A value whose type the compiler has lost, as in code written with `any`. */
const untyped = (value: unknown): never => value as never;

describe("a pipeline becomes a manifest", () => {
  it("that its schema accepts, with steps in wiring order and params parsed", async () => {
    const manifest = await manifestOf((p) => {
      const { days } = load({});
      const { model: trained } = fit({ days, trees: p.trees, seed: 7 });
      const { metrics: measured } = score({ model: trained, days });
      const ok = check({ model: trained, metrics: measured });
      publish({ model: ok.model });
      return { model: ok.model, metrics: measured };
    });
    expect(ManifestSchema.parse(manifest)).toEqual(JSON.parse(JSON.stringify(manifest)));
    expect(manifest.steps.map(({ id, kind }) => `${kind} ${id}`)).toEqual([
      "data load",
      "train fit",
      "evaluate score",
      "gate check",
      "deploy publish",
    ]);
    expect(manifest.params).toEqual({ trees: 10 });
    expect(manifest.steps[1]?.inputs).toEqual({
      days: { kind: { kind: "csv" }, from: { type: "step", step: "load", port: "days" } },
      trees: { kind: { kind: "value" }, from: { type: "value", value: 10 } },
      seed: { kind: { kind: "seed" }, from: { type: "value", value: 7 } },
      champion: {
        kind: { kind: "optional", of: { kind: "model", format: "onnx" } },
        from: { type: "absent" },
      },
    });
    expect(manifest.outputs["model"]?.kind).toEqual({
      kind: "approved",
      of: { kind: "model", format: "onnx" },
    });
  });

  it("whose commands are arguments with places, quotes kept together", async () => {
    const manifest = await manifestOf(() => fit({ days: load({}).days, trees: 1, seed: 1 }));
    expect(manifest.steps[1]?.body).toEqual({
      type: "command",
      argv: [
        ["python"],
        ["fit.py"],
        ["--data"],
        [{ input: "days" }],
        ["--trees=", { input: "trees" }],
        ["--note=a b"],
        [{ output: "model" }],
      ],
    });
  });

  it("where a second call has its own name and its own scheduling", async () => {
    const manifest = await manifestOf(() => {
      const { days } = load({});
      fit({ days, trees: 1, seed: 1 });
      return fit.as("fit-large").with({ retry: 2, timeout: "2h", resources: { gpu: 1 } })({
        days,
        trees: 9,
        seed: 1,
      });
    });
    expect(manifest.steps.map(({ id }) => id)).toEqual(["load", "fit", "fit-large"]);
    expect(manifest.steps[2]?.scheduling).toEqual({
      retry: { attempts: 2 },
      timeoutMs: 7_200_000,
      resources: { gpu: 1 },
    });
  });

  it("where each names its children by key and joins them in key order", async () => {
    const compare = evaluate("compare", {
      inputs: { models: many(onnx()) },
      outputs: { best: z.string() },
      run: () => ({ best: "" }),
    });
    const manifest = await manifestOf(() => {
      const { days } = load({});
      const trials = each(
        [20, 10],
        (trees) => `trees=${trees}`,
        (trees) => fit({ days, trees, seed: 1 }),
      );
      return compare({ models: trials.model });
    });
    expect(manifest.steps.map(({ id }) => id)).toEqual(["load", "fit[trees=20]", "fit[trees=10]", "compare"]);
    expect(manifest.steps[3]?.inputs["models"]?.from).toEqual({
      type: "many",
      items: [
        { key: "trees=10", from: { type: "step", step: "fit[trees=10]", port: "model" } },
        { key: "trees=20", from: { type: "step", step: "fit[trees=20]", port: "model" } },
      ],
    });
  });

  it("where each of nothing is an empty many", async () => {
    const compare = evaluate("compare", {
      inputs: { models: many(onnx()) },
      outputs: { best: z.string() },
      run: () => ({ best: "" }),
    });
    const none: number[] = [];
    const manifest = await manifestOf(() =>
      compare({ models: each(none, String, (trees) => fit({ days: load({}).days, trees, seed: 1 })).model }),
    );
    expect(manifest.steps[0]?.inputs["models"]?.from).toEqual({ type: "many", items: [] });
  });

  it("that points at the line of each definition and call", async () => {
    const manifest = await manifestOf(() => load({}));
    expect(manifest.steps[0]?.defined?.file).toBe("language.test.ts");
    expect(manifest.steps[0]?.called?.file).toBe("language.test.ts");
  });

  it("with environment, files, secrets and age as declared", async () => {
    const query = data("query", {
      outputs: { rows: file("txt") },
      env: ["REGION", secret("TOKEN")],
      files: ["sql/*.sql"],
      cache: { maxAge: "1d" },
      command: (_i, o) => cmd`query ${o.rows}`,
    });
    const manifest = await manifestOf(() => query({}));
    expect(manifest.steps[0]).toMatchObject({
      env: [
        { name: "REGION", secret: false },
        { name: "TOKEN", secret: true },
      ],
      files: ["sql/*.sql"],
      cache: { mode: "aging", maxAgeMs: 86_400_000 },
    });
  });

  it("that warns of a training without a seed", async () => {
    const unseeded = train("unseeded", { outputs: { model: model("json") }, run() {} });
    const manifest = await manifestOf(() => unseeded({}));
    expect(manifest.warnings.map(({ message }) => message)).toEqual([
      'The training "unseeded" has no seed() port, so nobody can tell whether it can be repeated.',
    ]);
  });

  it("whose JSON Schema can be published", () => {
    expect(manifestJsonSchema()).toMatchObject({
      $ref: "#/$defs/Manifest",
      $defs: { Manifest: { type: "object" } },
    });
  });
});

describe("misuse is loud", () => {
  const days = source("days.csv", csv(Day));
  const cases: readonly [
    what: string,
    build: (p: { trees: number }) => unknown,
    code: string,
    message: string,
  ][] = [
    [
      "a ref in a template string",
      () => `rows: ${String(untyped(load({}).rows))}`,
      "MLP1007",
      "The ref load.rows was turned into a string or number, or compared, but it has no content until the pipeline runs.",
    ],
    [
      "a ref compared",
      () => (untyped(load({}).rows) as number) > 3,
      "MLP1007",
      "The ref load.rows was turned into a string or number, or compared, but it has no content until the pipeline runs.",
    ],
    [
      "a ref in JSON",
      () => JSON.stringify(load({})),
      "MLP1007",
      "The ref load.days was put into JSON, but it has no content until the pipeline runs.",
    ],
    [
      "a ref spread",
      () => [...untyped(load({}).rows)],
      "MLP1007",
      "The ref load.rows was iterated over, but it has no content until the pipeline runs.",
    ],
    [
      "a ref awaited by way of a promise",
      () => untyped(load({}).rows)["then"],
      "MLP1007",
      "The ref load.rows was awaited, but it has no content until the pipeline runs.",
    ],
    [
      "an any of the wrong kind",
      () => score({ model: untyped(days), days }),
      "MLP1006",
      '"score" takes onnx() as model, and was given csv (source("days.csv")).',
    ],
    [
      "metrics of other names",
      () =>
        check({ model: fit({ days, trees: 1, seed: 1 }).model, metrics: untyped(otherMetrics({}).metrics) }),
      "MLP1006",
      '"check" takes metrics(mae) as metrics, and was given metrics without mae (other.metrics).',
    ],
    [
      "an any that no gate approved",
      () => publish({ model: untyped(fit({ days, trees: 1, seed: 1 }).model) }),
      "MLP1006",
      '"publish" takes approved(onnx()) as model, and was given onnx() that no gate approved (fit.model).',
    ],
    [
      "a path instead of a source",
      () => score({ model: untyped("model.onnx"), days }),
      "MLP1006",
      '"score" takes onnx() as model, and was given "model.onnx".',
    ],
    ["a missing input", () => score(untyped({ days })), "MLP1006", '"score" needs the input model (onnx()).'],
    [
      "an unknown input",
      () => load(untyped({ limit: 3 })),
      "MLP1006",
      '"load" has no input limit (its inputs: none).',
    ],
    [
      "a value that the port's schema refuses",
      () => fit({ days, trees: 1.5, seed: 1 }),
      "MLP1006",
      '"fit" refuses the input trees: Invalid input: expected int, received number.',
    ],
    [
      "a value that JSON cannot hold",
      () => fit({ days, trees: Number.NaN, seed: 1 }),
      "MLP1008",
      'The input trees of "fit" is not JSON: NaN at the value itself.',
    ],
    [
      "a negative seed",
      () => fit({ days, trees: 1, seed: -1 }),
      "MLP1006",
      '"fit" takes a whole number from 0 up as the seed seed, and was given -1.',
    ],
    [
      "two steps with one id",
      () => [load({}), load({})],
      "MLP1002",
      'The step "load" is called twice in this pipeline.',
    ],
    [
      "two steps that were given one name where they are defined",
      () => [load({}), otherLoad({})],
      "MLP1002",
      'Two different steps are defined with the name "load".',
    ],
    [
      "a call that was given the name of another step",
      () => [load({}), score.as("load")({ model: fit({ days, trees: 1, seed: 1 }).model, days })],
      "MLP1002",
      'Two steps of this pipeline are called "load".',
    ],
    [
      "a step defined inside pipeline()",
      () => data("late", { outputs: { a: file("txt") }, run() {} }),
      "MLP1003",
      'The step "late" is defined inside pipeline().',
    ],
    [
      "two items with one key",
      () =>
        each(
          [1, 2],
          () => "same",
          (trees) => fit({ days, trees, seed: 1 }),
        ),
      "MLP1012",
      'Two items of each have the key "same".',
    ],
    [
      "a key that is a path",
      () => each(["../x"], String, () => load({})),
      "MLP1001",
      '"../x" cannot be the key of an item.',
    ],
    ["an id that is a path", () => load.as("../x")({}), "MLP1001", '"../x" cannot be the name of a step.'],
    [
      "a timeout that is no duration",
      () => load.with({ timeout: untyped("soon") })({}),
      "MLP1010",
      'The scheduling of "load" does not hold: timeout is "soon", and must be a duration such as "2h".',
    ],
    [
      "a pipeline that returns a value",
      () => ({ rows: 3 }),
      "MLP1011",
      'The pipeline "test" returned 3 as rows, and not a ref.',
    ],
    [
      "a pipeline that returns nothing",
      () => undefined,
      "MLP1011",
      'The pipeline "test" returned undefined instead of its outputs.',
    ],
    [
      "an asynchronous pipeline",
      async () => load({}),
      "MLP1011",
      'The function of the pipeline "test" is asynchronous.',
    ],
  ];
  const otherMetrics = evaluate("other", {
    outputs: { metrics: metrics({ r2: "max" }) },
    run: () => ({ metrics: { r2: 1 } }),
  });

  it.each(cases)("%s", async (_what, build, code, message) => {
    const error = await errorOf(build);
    expect(`${error.code} ${error.message}`).toBe(`${code} ${message}`);
    expect(error.exit).toBe(2);
    expect(error.at[0]?.file).toMatch(/language\.test\.ts$/);
  });

  it("params that do not fit name the param", async () => {
    const error = await errorOf(() => load({}), { trees: "many" });
    expect(`${error.code} ${error.message}`).toBe(
      'MLP1009 The params of "test" do not fit: trees: Invalid input: expected number, received string.',
    );
  });

  it("a step called outside pipeline()", () => {
    expect(() => load({})).toThrow('"load" was called outside pipeline().');
  });

  it("a word of a shell that is quoted, given as a text or part of another is an argument", () => {
    const { argv } = cmd`cut -d "|" '>' ${">"} a>b --min=>3 ${["&&"]}`;
    const words = ["cut", "-d", "|", ">", ">", "a>b", "--min=>3", "&&"];
    expect(argv).toEqual(words.map((word) => [word]));
  });

  const definitions: readonly [what: string, define: () => unknown, message: string][] = [
    [
      "run and command together",
      () => data("both", untyped({ outputs: { a: file("txt") }, run() {}, command: () => cmd`true` })),
      'The data step "both" has both run and command, and can be only one of a function and a command.',
    ],
    [
      "neither of them",
      () => data("neither", untyped({ outputs: { a: file("txt") } })),
      'The data step "neither" has no run and no command.',
    ],
    [
      "a deploy without a gate",
      () => deploy("ungated", untyped({ inputs: { model: onnx() }, target: "x", run() {} })),
      'The deploy step "ungated" takes the model model without a gate.',
    ],
    [
      "a deploy without any model",
      () => deploy("nothing", untyped({ inputs: {}, target: "x", run() {} })),
      'The deploy step "nothing" takes no approved model.',
    ],
    [
      "a deploy without a target",
      () => deploy("aimless", untyped({ inputs: { model: approved(onnx()) }, run() {} })),
      'The deploy step "aimless" names no target.',
    ],
    [
      "a gate that passes what is no model",
      () => gate("odd", untyped({ inputs: { days: csv(Day) }, pass: "days", check: () => true })),
      'The gate step "odd" passes days, which is no model.',
    ],
    [
      "an output that only a gate can make",
      () => train("sly", untyped({ outputs: { model: approved(onnx()) }, run() {} })),
      'The train step "sly" has the output model of kind approved, which only inputs can have.',
    ],
    [
      "a port used as text while a command is built",
      () =>
        data("text", {
          inputs: { n: z.int() },
          outputs: { a: file("txt") },
          command: (i, o) => cmd`head -n ${Number(untyped(i.n)) + 1} ${o.a}`,
        }),
      "The port n was used as text while its command was built.",
    ],
    ["an empty command", () => cmd`  `, "A command is empty."],
    [
      "what a shell would do",
      () => cmd`python a.py && python b.py`,
      "A command is started without a shell: its program would be given && as an argument.",
    ],
    ...["|", "||", ">", ">>", "<", "2>&1", "2>/dev/null", "&>"].map(
      (word): [string, () => unknown, string] => [
        `${word} of a shell`,
        () => cmd(Object.assign([`a ${word} b`], { raw: [] })),
        `A command is started without a shell: its program would be given ${word} as an argument.`,
      ],
    ),
    ["an open quote", () => cmd`echo "a`, 'A command has a " that is never closed.'],
    ["a name with a slash", () => data("a/b", untyped({})), '"a/b" cannot be the name of a data step.'],
  ];

  it.each(definitions)("a definition with %s", (_what, define, message) => {
    expect(define).toThrow(message);
  });
});
