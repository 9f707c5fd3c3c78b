/** Events of OpenLineage on their way to an endpoint: afterwards, and as a run goes on. A real server takes them. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { finished, Project } from "../e2e/project.ts";
import { smallPipeline } from "../e2e/small-pipeline.ts";
import { type Event, haveSchemas, lineageProblems } from "./lineage-schemas.ts";

interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly event: Event;
}

/** Takes events, or answers as it is told. */
class Endpoint implements AsyncDisposable {
  readonly received: Received[] = [];
  /** How it answers; `undefined` never does. */
  answer: number | undefined = 201;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (text: string) => (body += text));
      request.on("end", () => {
        // What it is, the tests look at.
        const event = JSON.parse(body) as Event;
        this.received.push({ path: request.url ?? "", headers: request.headers, event });
        if (this.answer !== undefined) response.writeHead(this.answer).end("as told");
      });
    });
  }

  async url(): Promise<string> {
    if (!this.#server.listening) await once(this.#server.listen(0, "127.0.0.1"), "listening");
    // It listens on a port, so its address is one.
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get said(): readonly string[] {
    return this.received.map(({ event }) => `${event.eventType} ${event.job.name}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    if (this.#server.listening) await once(this.#server, "close");
  }
}

let project: Project;
let endpoint: Endpoint;
beforeEach(() => {
  project = new Project(smallPipeline);
  endpoint = new Endpoint();
});
afterEach(async () => {
  project[Symbol.dispose]();
  await endpoint[Symbol.asyncDispose]();
});

const whole = ["split", "fit", "score", "good-enough", "publish"].flatMap((step) => [
  `START line.${step}`,
  `COMPLETE line.${step}`,
]);

it("a run sends its events as they happen, to where other tools send theirs", async () => {
  const env = {
    OPENLINEAGE_URL: await endpoint.url(),
    OPENLINEAGE_API_KEY: "a-token",
    OPENLINEAGE_NAMESPACE: "team",
  };
  const child = project.start(["run", "-s", "limit=9"], env);
  const done = finished(child);
  // Before the run is over.
  while (endpoint.received.length < 2 && child.exitCode === null) await pause(20);
  expect(child.exitCode).toBeNull();
  const { exit, stderr } = await done;
  expect(exit, stderr).toBe(0);
  expect(stderr).not.toContain("OpenLineage");
  expect(endpoint.said).toEqual(["START line", ...whole, "COMPLETE line"]);
  for (const { path, headers, event } of endpoint.received) {
    expect(path).toBe("/api/v1/lineage");
    expect(headers).toMatchObject({ authorization: "Bearer a-token", "content-type": "application/json" });
    expect(event.job.namespace).toBe("team");
  }
});

it.skipIf(!haveSchemas)("what is sent live fits the published JSON Schemas", async () => {
  await project.mlpipe("run", "-s", "limit=9", "--openlineage", await endpoint.url());
  expect(endpoint.received.length).toBe(12);
  expect(endpoint.received.flatMap(({ event }) => lineageProblems(event))).toEqual([]);
});

it("what was sent live is what is exported afterwards, but for what only the end knows", async () => {
  await project.mlpipe("run", "-s", "limit=9", "--openlineage", await endpoint.url());
  const { stdout } = await project.mlpipe("export", "last", "--format", "openlineage");
  const exported = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Event);
  const ends = (events: readonly Event[]): readonly Event[] =>
    events.filter(({ eventType }) => eventType === "COMPLETE");
  expect(ends(endpoint.received.map(({ event }) => event))).toEqual(ends(exported));
});

it("a run that executes nothing still says that it ran, and what it stands for", async () => {
  await project.run("-s", "limit=9");
  await project.mlpipe("run", "-s", "limit=9", "--openlineage", await endpoint.url());
  expect(endpoint.said).toEqual(["START line", "COMPLETE line"]);
  const end = endpoint.received.at(-1)?.event;
  expect(end?.inputs.map(({ name }) => name)).toEqual([`${project.root}/data/points.csv`]);
  expect(end?.outputs.map(({ name }) => name).toSorted()).toEqual([
    "line/fit.model",
    "line/score.metrics",
    "line/split.rows",
  ]);
});

it("a failing step and its run say so, and send nothing of a secret", async () => {
  project.edit("steps/fit.ts", "command:", 'env: ["PATH", secret("TOKEN")],\n  command:');
  project.edit("steps/fit.ts", "import { cmd,", "import { cmd, secret,");
  project.write({ "fit.py": 'import os\nraise SystemExit("refused: " + os.environ["TOKEN"])\n' });
  const { exit, stderr } = await finished(
    project.start(["run", "--openlineage", `${await endpoint.url()}/own/path`], {
      TOKEN: "hunter2-is-secret",
    }),
  );
  expect(exit, stderr).toBe(1);
  expect(endpoint.said.slice(-2)).toEqual(["FAIL line.fit", "FAIL line"]);
  expect(endpoint.received[0]?.path).toBe("/own/path");
  expect(JSON.stringify(endpoint.received)).not.toContain("hunter2");
});

it.each([
  ["that refuses", 503, /answered 503/],
  ["that does not know the path", 404, /answered 404/],
])("an endpoint %s does not fail the run, and is asked three times", async (_, answer, reason) => {
  endpoint.answer = answer;
  const { exit, stderr } = await project.mlpipe(
    "run",
    "-s",
    "limit=9",
    "--openlineage",
    await endpoint.url(),
  );
  expect(exit, stderr).toBe(0);
  expect(stderr).toMatch(/12 events of OpenLineage were not delivered: /);
  expect(stderr).toMatch(reason);
  expect(stderr).toMatch(/mlpipe export last --format openlineage --to URL/);
  expect(endpoint.received.length).toBe(3);
});

it("nobody listening does not fail the run", async () => {
  // It did, a moment ago.
  const url = await endpoint.url();
  await endpoint[Symbol.asyncDispose]();
  const { exit, stderr } = await project.mlpipe("run", "-s", "limit=9", "--openlineage", url);
  expect(exit, stderr).toBe(0);
  expect(stderr).toMatch(/12 events of OpenLineage were not delivered: no answer from http:.*ECONNREFUSED/);
});

it("an endpoint that never answers holds a run up for seconds, and no longer", async () => {
  endpoint.answer = undefined;
  const before = performance.now();
  const { exit, stderr } = await project.mlpipe(
    "run",
    "-s",
    "limit=9",
    "--openlineage",
    await endpoint.url(),
  );
  expect(exit, stderr).toBe(0);
  expect(stderr).toMatch(/12 events of OpenLineage were not delivered/);
  expect(performance.now() - before).toBeLessThan(30_000);
});

it("an address that is none is a mistake on the command line, and a remark in a variable", async () => {
  const wrong = await project.mlpipe("run", "--openlineage", "localhost");
  expect([wrong.exit, wrong.stderr]).toEqual([2, expect.stringContaining("MLP6010")]);
  const { exit, stderr } = await finished(
    project.start(["run", "-s", "limit=9"], { OPENLINEAGE_URL: "not a url" }),
  );
  expect(exit).toBe(0);
  expect(stderr).toContain("OPENLINEAGE_URL is no URL");
});

it("a recorded run is posted, without the password in what is said", async () => {
  await project.run("-s", "limit=9");
  const url = await endpoint.url();
  const sent = await project.mlpipe("export", "last", "--format", "openlineage", "--to", url, "--json");
  expect(JSON.parse(sent.stdout)).toMatchObject({ schemaVersion: 1, sent: 12 });
  expect(endpoint.said.length).toBe(12);
  endpoint.answer = 401;
  const refused = await project.mlpipe(
    "export",
    "last",
    "--format",
    "openlineage",
    "--to",
    url.replace("//", "//ada:secret@"),
  );
  expect(refused.exit).toBe(4);
  expect(refused.stderr).toMatch(/MLP5014 .*answered 401 Unauthorized: as told/);
  expect(refused.stderr).not.toContain("secret");
  expect(endpoint.received.at(-1)?.headers.authorization).toMatch(/^Basic /);
});
