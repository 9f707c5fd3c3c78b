/** Every export of every sort of run is accepted by a validator that others wrote, and its damaged twin is not. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { crashed, deployed, failed, type History, rejected, reused, sweep, weather } from "./histories.ts";
import { type Event, haveSchemas, lineageProblems } from "./lineage-schemas.ts";
import { check, pythonTools } from "./python-tools.ts";

const histories: Record<string, History> = {};
beforeAll(async () => {
  pythonTools();
  const first = await deployed();
  Object.assign(histories, {
    deployed: first,
    reused: await reused(first),
    failed: await failed(),
    crashed: await crashed(),
    rejected: await rejected(),
    sweep: await sweep(),
    weather: await weather(),
  });
}, 400_000);
afterAll(() => {
  for (const { project } of Object.values(histories)) project[Symbol.dispose]();
});

const all = ["deployed", "reused", "failed", "crashed", "rejected", "sweep", "weather"];
const withModel = all.filter((name) => name !== "failed" && name !== "crashed");

function history(name: string): History {
  const found = histories[name];
  if (found === undefined) throw new Error(`no history ${name}`);
  return found;
}

/** Exports a run and returns where the export lies. */
async function exported(
  name: string,
  format: string,
  file: string,
  ...args: readonly string[]
): Promise<string> {
  const { project, run } = history(name);
  const path = join(project.root, "exports", name, file);
  const done = await project.mlpipe("export", run.run, "--format", format, "-f", "-o", path, ...args);
  expect(done.exit, done.stderr).toBe(0);
  return path;
}

/** A copy of a JSON document with one thing changed. */
function damaged<Document>(path: string, damage: (document: Document) => void): string {
  // The tests know the shape of what they damage.
  const document = JSON.parse(readFileSync(path, "utf8")) as Document;
  damage(document);
  const twin = path.replace(/(\.\w+)$/, ".damaged$1");
  writeFileSync(twin, JSON.stringify(document));
  return twin;
}

describe("the crate, by roc-validator", () => {
  interface Crate {
    readonly "@graph": Record<string, unknown>[];
  }
  const damagedCrate = async (name: string, damage: (crate: Crate) => void): Promise<string> => {
    const crate = await exported(name, "rocrate", "crate");
    const twin = `${crate}-damaged`;
    rmSync(twin, { recursive: true, force: true });
    cpSync(crate, twin, { recursive: true });
    const metadata = join(twin, "ro-crate-metadata.json");
    const document = JSON.parse(readFileSync(metadata, "utf8")) as Crate;
    damage(document);
    writeFileSync(metadata, JSON.stringify(document));
    return twin;
  };

  it.each(all)("of the run %s is a Provenance Run Crate, as a folder and as a zip", async (name) => {
    const folder = await check("validate_crate", await exported(name, "rocrate", "crate"), "REQUIRED");
    expect(folder).toEqual({ ok: true, said: "" });
    const zip = await check("validate_crate", await exported(name, "rocrate", "crate.zip"), "REQUIRED");
    expect(zip).toEqual({ ok: true, said: "" });
  });

  it("meets the recommendations too, but for ids and people that mlpipe cannot know", async () => {
    const crate = await exported("deployed", "rocrate", "licensed", "--license", "Apache-2.0");
    const { said } = await check("validate_crate", crate, "RECOMMENDED");
    const left = said
      .split("\n")
      .filter((line) => line !== "")
      .filter((line) => !/id SHOULD be an absolute URI|publisher|affiliation/.test(line));
    expect(left).toEqual([]);
  });

  it("without the parameters' types is refused", async () => {
    const twin = await damagedCrate("deployed", (crate) => {
      for (const entity of crate["@graph"]) {
        if (entity["@type"] === "FormalParameter") delete entity["additionalType"];
      }
    });
    const result = await check("validate_crate", twin, "REQUIRED");
    expect(result.ok).toBe(false);
    expect(result.said).toMatch(/FormalParameter MUST have an additionalType/i);
  });

  it("without its workflow's action's instrument is refused", async () => {
    const { run } = history("deployed");
    const twin = await damagedCrate("deployed", (crate) => {
      const action = crate["@graph"].find((entity) => entity["@id"] === `#${run.run}`);
      delete action?.["instrument"];
    });
    expect((await check("validate_crate", twin, "REQUIRED")).ok).toBe(false);
  });

  it("whose file is missing is refused", async () => {
    const twin = await damagedCrate("deployed", () => {});
    rmSync(join(twin, "artifacts/fit/model.json"));
    expect((await check("validate_crate", twin, "REQUIRED")).ok).toBe(false);
  });
});

describe("OpenLineage events", () => {
  const read = (path: string): readonly Event[] =>
    readFileSync(path, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Event);

  it.skipIf(!haveSchemas).each(all)(
    "of the run %s fit the published JSON Schemas, each facet its own",
    async (name) => {
      const events = read(await exported(name, "openlineage", "events.ndjson"));
      expect(events.length).toBeGreaterThan(3);
      expect(events.flatMap(lineageProblems)).toEqual([]);
    },
  );

  it.skipIf(!haveSchemas)("with a damaged id, time or facet do not", async () => {
    const [event] = read(await exported("deployed", "openlineage", "events.ndjson"));
    expect(lineageProblems({ ...event, run: { ...event?.run, runId: "1" } })).not.toEqual([]);
    expect(lineageProblems({ ...event, eventTime: "yesterday" })).not.toEqual([]);
    const facet = {
      _producer: "https://mlpipe.dev/",
      _schemaURL: event?.run.facets["processing_engine"]?._schemaURL,
    };
    const facets = { processing_engine: facet };
    expect(lineageProblems({ ...event, run: { ...event?.run, facets } })).not.toEqual([]);
  });

  it.each(all)("of the run %s can be made by the client for Python", async (name) => {
    const path = await exported(name, "openlineage", "events.ndjson");
    expect(await check("validate_events", path)).toEqual({ ok: true, said: "" });
  });

  it("with a damaged id or facet cannot", async () => {
    const path = await exported("deployed", "openlineage", "events.ndjson");
    const [first = ""] = readFileSync(path, "utf8").split("\n");
    const event = JSON.parse(first) as Event;
    const twin = path.replace("events", "damaged");
    writeFileSync(twin, JSON.stringify({ ...event, run: { ...event.run, runId: "not-a-uuid" } }));
    expect((await check("validate_events", twin)).ok).toBe(false);
    writeFileSync(twin, first.replace('"jobType":"PIPELINE"', '"jobKind":"PIPELINE"'));
    expect((await check("validate_events", twin)).said).toMatch(/JobTypeJobFacet has no jobKind/);
  });

  it("begin and end every execution once, with the run around them", async () => {
    const { run, project } = history("failed");
    const events = read(await exported("failed", "openlineage", "events.ndjson"));
    expect(events.map(({ eventType, job }) => `${eventType} ${job.name}`)).toEqual([
      "START line",
      "START line.split",
      "COMPLETE line.split",
      "START line.fit",
      "FAIL line.fit",
      "FAIL line",
    ]);
    expect(new Set(events.map(({ run: { runId } }) => runId)).size).toBe(3);
    expect(events.at(-1)?.run.facets["errorMessage"]).toMatchObject({ programmingLanguage: "TypeScript" });
    expect(events[1]?.run.facets["parent"]).toMatchObject({
      run: { runId: run.run },
      job: { namespace: project.root.split("/").at(-1), name: "line" },
    });
    // What a step reads is what the one before it made.
    expect(events[4]?.inputs).toMatchObject([{ name: "line/split.train" }]);
    expect(events[2]?.outputs.map(({ name }) => name)).toContain("line/split.train");
    expect(events[2]?.inputs).toMatchObject([
      {
        namespace: "file",
        name: join(project.root, "data/points.csv"),
        facets: { schema: { fields: [{ name: "x" }, { name: "y" }] } },
        inputFacets: { inputStatistics: { rowCount: 6, size: 30, fileCount: 1 } },
      },
    ]);
  });

  it("of a run that was killed end with it", async () => {
    const events = read(await exported("crashed", "openlineage", "events.ndjson"));
    expect(history("crashed").run.status).toBe("crashed");
    expect(events.map(({ eventType, job }) => `${eventType} ${job.name}`)).toEqual([
      "START line",
      "START line.split",
      "COMPLETE line.split",
      "ABORT line",
    ]);
  });

  it("of a sweep name the training of every child as an input of what chose", async () => {
    const events = read(await exported("sweep", "openlineage", "events.ndjson"));
    const choose = events.find(
      ({ eventType, job }) => eventType === "COMPLETE" && job.name === "line.choose",
    );
    expect(choose?.inputs.map(({ name }) => name.split("/").at(-1)).toSorted()).toEqual([
      "fit[shrink=0.9].model",
      "fit[shrink=1].model",
      "fit[shrink=1e-7].model",
      "more",
    ]);
  });

  it("of a run that took results from the cache have the executions that made them, with their own run", async () => {
    const events = read(await exported("reused", "openlineage", "events.ndjson"));
    const fit = events.filter(({ job }) => job.name === "line.fit");
    expect(fit.map(({ eventType }) => eventType)).toEqual(["START", "COMPLETE"]);
    expect(fit[0]?.run.facets["parent"]).toMatchObject({ run: { runId: history("deployed").run.run } });
  });
});

describe("SLSA provenance, by the Python package of in-toto", () => {
  it.each(all)("of the run %s is a statement with provenance", async (name) => {
    const path = await exported(name, "slsa", "statement.json", "--unsigned");
    expect(await check("validate_statement", path)).toEqual({ ok: true, said: "" });
  });

  it("without subject, builder, or with a digest of nothing is refused", async () => {
    interface Statement {
      subject: { digest: Record<string, string> }[];
      predicate: { runDetails: { builder?: { id?: string } } };
    }
    const path = await exported("deployed", "slsa", "statement.json", "--unsigned");
    const damages: ((statement: Statement) => void)[] = [
      (statement) => (statement.subject = []),
      (statement) => delete statement.predicate.runDetails.builder,
      ({ subject }) => subject.push({ digest: {} }),
      (statement) => Object.assign(statement.predicate, { builder: "mine" }),
    ];
    for (const damage of damages) {
      expect((await check("validate_statement", damaged<Statement>(path, damage))).ok).toBe(false);
    }
  });

  it("names what was built from: the commit, what was not committed, the pipeline, the sources", async () => {
    interface Statement {
      subject: { name: string }[];
      predicate: { buildDefinition: { resolvedDependencies: { name?: string; uri?: string }[] } };
    }
    const path = await exported("deployed", "slsa", "statement.json", "--unsigned");
    const { subject, predicate } = JSON.parse(readFileSync(path, "utf8")) as Statement;
    const named = predicate.buildDefinition.resolvedDependencies.map(({ name, uri }) => uri ?? name);
    expect(named.slice(0, 4)).toEqual([
      "git+ssh://git@example.org/acme/line.git@refs/heads/main",
      "HEAD.diff",
      "line.pipeline.ts",
      "data/points.csv",
    ]);
    expect(subject.map(({ name }) => name)).toContain("artifacts/line/model.json");
  });
});

describe("the bill of materials of a model, by CycloneDX's own library", () => {
  const problems = async (path: string): Promise<unknown> =>
    new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(readFileSync(path, "utf8"));

  it.each(withModel)("of the run %s is a CycloneDX 1.6 document", async (name) => {
    const { model = "" } = history(name);
    const args = ["--model", model, "--license", "MIT", "--task", "tabular-regression"];
    expect(await problems(await exported(name, "cyclonedx", "bom.json", ...args))).toBeNull();
  });

  it("with a type or a licence that is none is refused", async () => {
    interface Bom {
      metadata: { component: { type: string; licenses: unknown } };
    }
    const path = await exported("deployed", "cyclonedx", "bom.json", "--license", "MIT");
    const typed = damaged<Bom>(path, ({ metadata }) => (metadata.component.type = "magic"));
    expect(await problems(typed)).not.toBeNull();
    const licensed = damaged<Bom>(
      path,
      ({ metadata }) => (metadata.component.licenses = [{ license: { id: "NO-SUCH-LICENCE" } }]),
    );
    expect(await problems(licensed)).not.toBeNull();
  });

  it("names the data, the packages of the steps before the model, and the commands", async () => {
    interface Bom {
      components: { type: string; name: string; purl?: string }[];
      formulation: { workflows: { tasks: { name: string }[] }[] }[];
    }
    const path = await exported("deployed", "cyclonedx", "bom.json");
    const { components, formulation } = JSON.parse(readFileSync(path, "utf8")) as Bom;
    expect(components.filter(({ type }) => type === "data").map(({ name }) => name)).toEqual([
      "data/points.csv",
      "split.train",
      "split.test",
    ]);
    expect(components.map(({ purl }) => purl)).toContainEqual(expect.stringMatching(/^pkg:npm\/zod@\d/));
    expect(formulation[0]?.workflows[0]?.tasks.map(({ name }) => name)).toEqual(["split", "fit"]);
  });
});

describe("the model card, by huggingface_hub", () => {
  interface Read {
    readonly license: string | null;
    readonly results: readonly { readonly task: string; readonly metric: string; readonly value: number }[];
  }

  it.each(withModel)("of the run %s is read, with what was measured", async (name) => {
    const { model = "", run } = history(name);
    const { ok, said } = await check(
      "validate_card",
      await exported(name, "model-card", "README.md", "--model", model),
    );
    expect(ok, said).toBe(true);
    const read = JSON.parse(said) as Read;
    // Nobody said it, so the card does not.
    expect(read.license).toBeNull();
    const score = run.steps.find(({ id }) => id === "score")?.metrics ?? {};
    expect(Object.fromEntries(read.results.map(({ metric, value }) => [metric, value]))).toEqual(score);
  });

  it("has the licence and the task that it is told", async () => {
    const args = ["--license", "apache-2.0", "--task", "tabular-regression"];
    const { said } = await check(
      "validate_card",
      await exported("deployed", "model-card", "README.md", ...args),
    );
    const read = JSON.parse(said) as Read;
    expect(read).toMatchObject({ license: "apache-2.0", results: [{ task: "tabular-regression" }] });
  });

  it("without a value, or with front matter that is no YAML, is refused", async () => {
    const path = await exported("deployed", "model-card", "README.md");
    const card = readFileSync(path, "utf8");
    const twin = join(path, "../damaged.md");
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(twin, card.replace(/^ +- type: mae\n/m, "    - x: mae\n"));
    expect((await check("validate_card", twin)).ok).toBe(false);
    writeFileSync(twin, card.replace("model-index:\n", "model-index: {\n"));
    expect((await check("validate_card", twin)).ok).toBe(false);
  });
});
