import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { existsSync, openSync, closeSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import { digestOf, type Digest } from "./digest.ts";
import { newStore, thrownBy } from "./fixtures/project.ts";
import { openStore, type Store } from "./store.ts";
import { uuid7 } from "./uuid7.ts";

/** Another mlpipe, as far as claims are concerned: a real process that holds a run. */
class Claimer {
  readonly run = uuid7();
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #gone: Promise<unknown>;

  constructor(store: Store, keys: readonly Digest[]) {
    const script = new URL("./fixtures/claimer.ts", import.meta.url).pathname;
    this.#child = spawn(process.execPath, [script, store.root, this.run, ...keys]);
    this.#child.stderr.pipe(process.stderr);
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
    this.#gone = new Promise((resolve) => this.#child.once("close", resolve));
    onTestFinished(() => void this.#child.kill("SIGKILL"));
  }

  async ready(): Promise<void> {
    if ((await this.#line()) !== "ready") throw new Error("the claimer did not start");
  }

  async claim(): Promise<readonly string[]> {
    this.#child.stdin.write("go\n");
    return JSON.parse(await this.#line());
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#gone;
  }

  async leave(): Promise<void> {
    this.#child.stdin.end();
    await this.#gone;
  }

  async #line(): Promise<string> {
    const { value } = await this.#lines.next();
    return String(value);
  }
}

const key = digestOf("key");

describe("several processes", () => {
  test("eight claim the same fifty keys at once: each key has exactly one owner", async () => {
    const store = newStore();
    const keys = Array.from({ length: 50 }, (_, i) => digestOf(`key ${i}`));
    const claimers = Array.from({ length: 8 }, () => new Claimer(store, keys));
    await Promise.all(claimers.map((claimer) => claimer.ready()));
    const owned = await Promise.all(claimers.map((claimer) => claimer.claim()));
    expect(owned.flat().toSorted()).toEqual(keys.toSorted());
    await Promise.all(claimers.map((claimer) => claimer.leave()));
    expect(new DatabaseSync(join(store.root, "state.db")).prepare("PRAGMA integrity_check").get()).toEqual({
      integrity_check: "ok",
    });
  });

  test("eight take over the fifty keys of a killed run at once: again each key has one owner", async () => {
    const store = newStore();
    const keys = Array.from({ length: 50 }, (_, i) => digestOf(`key ${i}`));
    const first = new Claimer(store, keys);
    await first.ready();
    expect(await first.claim()).toHaveLength(50);
    await first.kill();
    const claimers = Array.from({ length: 8 }, () => new Claimer(store, keys));
    await Promise.all(claimers.map((claimer) => claimer.ready()));
    const owned = await Promise.all(claimers.map((claimer) => claimer.claim()));
    expect(owned.flat().toSorted()).toEqual(keys.toSorted());
  });

  test("the claim of a live process holds; killed with -9, it can be taken at once", async () => {
    const store = newStore();
    const other = new Claimer(store, [key]);
    await other.ready();
    expect(await other.claim()).toEqual([key]);
    const run = uuid7();
    store.claims.enter(run);
    expect(store.claims.claim(key, run)).toEqual({ mine: false, by: other.run });
    expect(store.claims.isAlive(other.run)).toBe(true);
    await other.kill();
    expect(store.claims.isAlive(other.run)).toBe(false);
    expect(store.claims.claim(key, run)).toEqual({ mine: true });
  });

  test("a run that was begun and killed is listed as crashed, and no other", async () => {
    const store = newStore();
    const other = new Claimer(store, []);
    await other.ready();
    const begin = (id: string) =>
      store.runs.begin({ id, pipeline: "weather", startedAt: "2026-01-01T00:00:00.000+00:00", document: {} });
    begin(other.run);
    const mine = uuid7();
    store.claims.enter(mine);
    begin(mine);
    expect(store.runs.list().map(({ status }) => status)).toEqual(["running", "running"]);
    await other.kill();
    expect(store.runs.get(other.run)?.status).toBe("crashed");
    expect(store.runs.get(mine)?.status).toBe("running");
  });

  test("a run cannot be entered while another process is in it", async () => {
    const store = newStore();
    const other = new Claimer(store, []);
    await other.ready();
    expect(thrownBy(() => store.claims.enter(other.run))).toMatchObject({ code: "MLP4013", exit: 4 });
  }, 20_000);

  test("a run of two processes is alive until both have gone, and its claims hold as long", async () => {
    const store = newStore();
    using asking = openStore(store.root);
    for (const first of ["the other", "this one"] as const) {
      const other = new Claimer(store, [key]);
      await other.ready();
      expect(await other.claim()).toEqual([key]);
      expect(store.claims.enterBeside(other.run)).toBe(join(store.root, "runs", other.run, "alive.db"));
      const go = { "the other": () => other.kill(), "this one": () => store.claims.leave(other.run) };
      await go[first]();
      // Who leaves in good order has given back what the run had claimed.
      store.claims.claim(key, other.run);
      expect(asking.claims.isAlive(other.run)).toBe(true);
      const mine = uuid7();
      expect(asking.claims.claim(key, mine)).toEqual({ mine: false, by: other.run });
      await go[first === "the other" ? "this one" : "the other"]();
      expect(asking.claims.isAlive(other.run)).toBe(false);
      expect(asking.claims.claim(key, mine)).toEqual({ mine: true });
      asking.claims.release(key, mine);
    }
  });

  test("looking whether a run is alive a hundred times does not loosen its lock", async () => {
    const store = newStore();
    const run = uuid7();
    store.claims.enter(run);
    for (let i = 0; i < 100; i++) expect(store.claims.isAlive(run)).toBe(true);
    store.claims.claim(key, run);
    const other = new Claimer(store, [key]);
    await other.ready();
    expect(await other.claim()).toEqual([]);
  });
});

describe("one process", () => {
  test("a claim is repeated by its run, refused to others, and free once released or left", () => {
    const store = newStore();
    const [a, b] = [uuid7(), uuid7()];
    store.claims.enter(a);
    store.claims.enter(b);
    expect(store.claims.claim(key, a)).toEqual({ mine: true });
    expect(store.claims.claim(key, a)).toEqual({ mine: true });
    expect(store.claims.claim(key, b)).toEqual({ mine: false, by: a });
    store.claims.release(key, b);
    expect(store.claims.claim(key, b)).toEqual({ mine: false, by: a });
    store.claims.release(key, a);
    expect(store.claims.claim(key, b)).toEqual({ mine: true });
    store.claims.leave(b);
    expect(store.claims.isAlive(b)).toBe(false);
    expect(store.claims.claim(key, a)).toEqual({ mine: true });
  });

  test("two stores of one process see each other's locks", () => {
    const store = newStore();
    using other = openStore(store.root);
    const run = uuid7();
    store.claims.enter(run);
    store.claims.claim(key, run);
    expect(other.claims.isAlive(run)).toBe(true);
    // Asking opened and closed the lock file in this process, which must not have dropped the lock.
    expect(other.claims.claim(key, uuid7())).toEqual({ mine: false, by: run });
    expect(store.claims.isAlive(run)).toBe(true);
    store.claims.leave(run);
    expect(other.claims.isAlive(run)).toBe(false);
  });

  test("closing the store leaves its runs", () => {
    const store = newStore();
    const run = uuid7();
    store.claims.enter(run);
    store.close();
    using later = openStore(store.root);
    expect(later.claims.isAlive(run)).toBe(false);
    expect(existsSync(join(store.root, "runs", run, "alive.db"))).toBe(false);
  });

  test("a lock file that nobody holds means nothing", () => {
    const store = newStore();
    const run = uuid7();
    store.runs.logPath(run, "0");
    closeSync(openSync(join(store.root, "runs", run, "alive.db"), "w"));
    expect(store.claims.isAlive(run)).toBe(false);
  });

  test("what is no id never becomes a path", () => {
    const store = newStore();
    for (const run of ["../../etc", "", "last"]) {
      expect(thrownBy(() => store.claims.enter(run))).toMatchObject({ code: "MLP4011" });
      expect(thrownBy(() => store.runs.records(run))).toMatchObject({ code: "MLP4011" });
    }
  });
});
