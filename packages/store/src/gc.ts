import { lstatSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Checkpoint, StoredCheckpoints } from "./checkpoints.ts";
import { Database, text, textOrNull, type Row } from "./database.ts";
import type { Content } from "./digest.ts";
import { takeInForeignRuns } from "./foreign-runs.ts";
import {
  layoutOf,
  makeAttempts,
  recordsPath,
  removeAll,
  runFolder,
  runsOnDisk,
  type Layout,
} from "./layout.ts";
import { beginOf, claimedKeys, removeLeftovers, leftovers } from "./leftovers.ts";
import { makeRoomAfter } from "./make-room.ts";
import { News } from "./news.ts";
import { StoredObjects } from "./objects.ts";
import { objectsOnDisk, type ObjectOnDisk } from "./objects-on-disk.ts";
import { Reachable } from "./reachable.ts";
import { formerHeads } from "./record-log.ts";
import { runsToDrop, type Retention } from "./retention.ts";
import { Tending, runsAlive } from "./tending.ts";
import { addTombstones, tombstones } from "./tombstones.ts";

export interface CollectOptions extends Retention {
  /** How much the objects of kept runs may take; the oldest runs go until they fit. */
  readonly maxBytes?: number;
  /** Says what would go, and changes nothing. @default false */
  readonly dryRun?: boolean;
}

/** What went, or would go. */
export interface Collected {
  readonly runs: readonly string[];
  readonly entries: number;
  readonly parts: number;
  readonly objects: { readonly count: number; readonly bytes: number };
  /** Objects that nobody refers to any more, left for runs that may be using them: the next gc takes them. */
  readonly deferred: {
    readonly count: number;
    readonly bytes: number;
    readonly because: readonly string[];
  };
  readonly leftovers: number;
  /** Checkpoints that nobody has gone on from for a long time. */
  readonly checkpoints: { readonly count: number; readonly bytes: number };
  /** What the objects that stay take. */
  readonly kept: { readonly runs: number; readonly objects: number; readonly bytes: number };
}

/**
 * Removes what no kept run reaches. Never collected: runs that are executing, runs whose deployment is live (a receipt
 * names them), and of each pipeline the newest run.
 *
 * **Beside a running run.** A hit writes nothing, so nobody can know which results a running run relies on. But it
 * relies on none whose entry was gone when it had taken its alive lock: what it took from the cache before (a run that
 * executes nothing takes no lock at all) it looks up once more then, if entries were dropped since it began to plan
 * (`Claims.entered`). So:
 *
 * 1. The objects on disk are listed, with their ctimes.
 * 2. In one write transaction the rows of dropped runs, and entries that no kept run uses, are deleted. After it nobody
 *    can come to rely on them. The file `gc.stamp` is touched then: its mtime says when entries were last dropped.
 * 3. Only now it is asked who is alive. While a run is that took its lock before the stamp, no object is deleted: it may
 *    rely on what was dropped. Otherwise every living run began after it, and can know an unreferenced object only by
 *    making it: what is not older than all of them is left alone.
 * 4. Objects are deleted in small write transactions, after a look at what was referred to since step 2, and only if
 *    they are untouched since step 1. A run that makes an object which is there already keeps its own copy until its
 *    rows are being written, looks again inside of that transaction, and puts the copy in place if it has to
 *    (`publish.ts`): whichever transaction comes first, rows never name an object that is gone.
 */
export function collectGarbage(root: string, options: CollectOptions = {}): Collected {
  const layout = layoutOf(root);
  if (lstatSync(layout.database, { throwIfNoEntry: false }) === undefined) return nothing;
  if (options.dryRun === true) return new Collection(layout, options).look();
  makeAttempts(layout.attempts);
  using _ = Tending.begin(layout);
  try {
    return new Collection(layout, options).collect();
  } catch (error) {
    const removed = makeRoomAfter(error, layout).length;
    const collected = new Collection(layout, options).collect();
    return { ...collected, leftovers: collected.leftovers + removed };
  }
}

const nothing: Collected = {
  runs: [],
  entries: 0,
  parts: 0,
  objects: { count: 0, bytes: 0 },
  deferred: { count: 0, bytes: 0, because: [] },
  leftovers: 0,
  checkpoints: { count: 0, bytes: 0 },
  kept: { runs: 0, objects: 0, bytes: 0 },
};

/** What is to go, as of one transaction. */
interface Verdict {
  readonly reached: Reachable;
  readonly runs: readonly Row[];
  readonly entries: readonly string[];
  readonly parts: readonly string[];
}

/** How long a checkpoint waits for somebody to go on from it, where nobody says otherwise. */
const checkpointsKeptMs = 30 * 86_400_000;

/** How many objects are deleted in one transaction: a few milliseconds, for which others wait. */
const together = 100;

class Collection {
  readonly #layout: Layout;
  readonly #options: CollectOptions;
  readonly #database: Database;

  constructor(layout: Layout, options: CollectOptions) {
    this.#layout = layout;
    this.#options = options;
    this.#database = new Database(layout.database, { readonly: options.dryRun === true });
  }

  look(): Collected {
    try {
      const disk = objectsOnDisk(this.#layout);
      const verdict = this.#judge(disk);
      const unreached = disk.filter(({ digest }) => !verdict.reached.digests.has(digest));
      const busy = this.#busyWith(verdict);
      const [gone, deferred] = busy.length > 0 ? [[], unreached] : [unreached, []];
      return this.#report(verdict, disk, {
        gone,
        deferred,
        busy,
        leftovers: leftovers(this.#layout).length,
        checkpoints: this.#staleCheckpoints(),
      });
    } finally {
      this.#database.close();
    }
  }

  collect(): Collected {
    try {
      // Or their results would go as those of nobody.
      takeInForeignRuns(this.#database, this.#layout);
      const disk = objectsOnDisk(this.#layout);
      const { verdict, news } = this.#database.transaction(() => {
        const found = this.#judge(disk);
        this.#deleteRows(found);
        return { verdict: found, news: new News(this.#database) };
      });
      // After the transaction: a run that began before this may have taken what was dropped by it.
      if (verdict.entries.length > 0) writeFileSync(this.#layout.stamp, "", { mode: 0o600 });
      for (const row of verdict.runs) removeAll(runFolder(this.#layout, text(row, "id")));
      this.#removeBuried(verdict.reached);
      const unreached = disk.filter(({ digest }) => !verdict.reached.digests.has(digest));
      const busy = this.#busyWith(undefined);
      const gone = busy.length > 0 ? [] : this.#sweep(unreached, verdict.reached, news);
      const deferred = busy.length > 0 ? unreached : [];
      const left = removeLeftovers(this.#layout).length + this.#removeDamaged();
      const checkpoints = this.#removeCheckpoints();
      if (verdict.runs.length > 0 && runsAlive(this.#layout).length === 0) this.#database.compact();
      return this.#report(verdict, disk, { gone, deferred, busy, leftovers: left, checkpoints });
    } finally {
      this.#database.close();
    }
  }

  /** Living runs that may rely on entries which were dropped; with a verdict, on those which would be. */
  #busyWith(verdict: Verdict | undefined): readonly string[] {
    const alive = runsAlive(this.#layout);
    if (verdict !== undefined && verdict.entries.length > 0) return alive;
    const stamp = lstatSync(this.#layout.stamp, { throwIfNoEntry: false })?.mtimeMs ?? -Infinity;
    return alive.filter((run) => beginOf(this.#layout, run) <= stamp);
  }

  #judge(disk: readonly ObjectOnDisk[]): Verdict {
    const runs = this.#database.all(
      "SELECT id, pipeline, status, started_at, ended_at, head FROM runs ORDER BY id DESC",
    );
    const ages = runs.map((row) => ({
      id: text(row, "id"),
      pipeline: text(row, "pipeline"),
      status: text(row, "status"),
      startedAt: text(row, "started_at"),
      endedAt: textOrNull(row, "ended_at"),
    }));
    const receipts = this.#database.all("SELECT receipt FROM receipts").map((row) => text(row, "receipt"));
    const spared = new Set(runsAlive(this.#layout));
    for (const receipt of receipts) spared.add(String(fieldsOf(receipt)["run"]));
    for (const [, [newest]] of Map.groupBy(ages, ({ pipeline }) => pipeline)) {
      if (newest !== undefined) spared.add(newest.id);
    }
    const dropped = runsToDrop(ages, this.#options, Date.now());
    const kept = ages.map(({ id }) => id).filter((id) => spared.has(id) || !dropped.has(id));

    const least = new Reachable(this.#database);
    for (const receipt of receipts) least.addDocument(receipt);
    for (const id of kept.filter((run) => spared.has(run))) least.addRun(id);
    const others = kept.filter((run) => !spared.has(run));
    const reached = this.#withinBudget(least, others, disk);
    const gone = runs.filter((row) => !reached.runs.has(text(row, "id")));
    const goneIds = new Set(gone.map((row) => text(row, "id")));
    const entries = this.#database.all("SELECT key, entry FROM cache_entries").flatMap((row) => {
      const entry = text(row, "entry");
      const { run, stepRun } = fieldsOf(entry);
      const isUsed = reached.stepRuns.has(String(stepRun));
      // One of a run that the database does not know harms nobody.
      if (!isUsed && (goneIds.has(String(run)) || reached.runs.has(String(run)))) return [text(row, "key")];
      reached.addDocument(entry);
      return [];
    });
    const parts = this.#database
      .all("SELECT digest FROM parts")
      .flatMap((row) => (reached.digests.has(text(row, "digest")) ? [] : [text(row, "digest")]));
    return { reached, runs: gone, entries, parts };
  }

  /** Adds runs, newest first, as long as what they reach fits. */
  #withinBudget(spared: Reachable, newestFirst: readonly string[], disk: readonly ObjectOnDisk[]): Reachable {
    const { maxBytes } = this.#options;
    let reached = spared;
    for (const run of newestFirst) {
      if (maxBytes === undefined) {
        reached.addRun(run);
        continue;
      }
      const more = reached.copy();
      more.addRun(run);
      if (sumOf(disk.filter(({ digest }) => more.digests.has(digest))).bytes > maxBytes) return reached;
      reached = more;
    }
    return reached;
  }

  #deleteRows({ runs, entries, parts }: Verdict): void {
    const now = new Date().toISOString();
    addTombstones(
      this.#layout,
      runs.map((row) => {
        const run = text(row, "id");
        const former = formerHeads(recordsPath(this.#layout, run));
        return {
          run,
          pipeline: text(row, "pipeline"),
          status: text(row, "status"),
          startedAt: text(row, "started_at"),
          endedAt: textOrNull(row, "ended_at"),
          head: textOrNull(row, "head"),
          ...(former.length > 0 && { formerHeads: former }),
          removedAt: now,
        };
      }),
    );
    for (const row of runs) {
      this.#database.run("DELETE FROM step_runs WHERE run = ?", text(row, "id"));
      this.#database.run("DELETE FROM runs WHERE id = ?", text(row, "id"));
    }
    for (const key of entries) this.#database.run("DELETE FROM cache_entries WHERE key = ?", key);
    for (const digest of parts) this.#database.run("DELETE FROM parts WHERE digest = ?", digest);
  }

  /** Folders of runs that were collected by a gc which was killed before it came to them. */
  #removeBuried({ runs }: Reachable): void {
    const buried = new Set(tombstones(this.#layout).map(({ run }) => run));
    for (const run of runsOnDisk(this.#layout)) {
      if (buried.has(run) && !runs.has(run)) removeAll(runFolder(this.#layout, run));
    }
  }

  #sweep(unreached: readonly ObjectOnDisk[], reached: Reachable, news: News): readonly ObjectOnDisk[] {
    const objects = new StoredObjects(this.#layout);
    const oldest = Math.min(...runsAlive(this.#layout).map((run) => beginOf(this.#layout, run)));
    const gone: ObjectOnDisk[] = [];
    for (let first = 0; first < unreached.length; first += together) {
      this.#database.transaction(
        () => {
          news.addTo(reached);
          for (const object of unreached.slice(first, first + together)) {
            const { path, ctimeMs, digest } = object;
            if (ctimeMs >= oldest || reached.digests.has(digest)) continue;
            if (lstatSync(path, { throwIfNoEntry: false })?.ctimeMs !== ctimeMs) continue;
            objects.remove(contentOf(object));
            this.#forget(path);
            gone.push(object);
          }
        },
        { durable: false },
      );
    }
    return gone;
  }

  /** What the stat index knows of an object that is no more. */
  #forget(path: string): void {
    const name = path.slice(join(dirname(this.#layout.root), "/").length);
    this.#database.run("DELETE FROM stat_files WHERE path = ?", name);
    this.#database.run("DELETE FROM stat_trees WHERE path = ?", name);
  }

  /** Databases that were damaged and put aside: the rebuilt one has served since. */
  #removeDamaged(): number {
    const aside = readdirSync(this.#layout.root).filter((name) =>
      /^state\.db\.damaged-\w+(-wal|-shm)?$/.test(name),
    );
    for (const name of aside) rmSync(join(this.#layout.root, name), { force: true });
    return aside.length;
  }

  /**
   * No record says what a checkpoint is good for: a training that was killed has left none, and its code may be edited
   * and reverted before it goes on. So it is a matter of time alone.
   */
  #staleCheckpoints(): readonly Checkpoint[] {
    const { olderThanMs = checkpointsKeptMs } = this.#options;
    const claimed = claimedKeys(this.#layout, runsAlive(this.#layout));
    return new StoredCheckpoints(this.#layout)
      .list()
      .filter(
        ({ key, modifiedAt }) =>
          modifiedAt < Date.now() - olderThanMs && !claimed.some((other) => other.startsWith(key)),
      );
  }

  /** Meanwhile nobody can claim a key, so nobody begins to go on from one. */
  #removeCheckpoints(): readonly Checkpoint[] {
    return this.#database.transaction(
      () => {
        const stale = this.#staleCheckpoints();
        const checkpoints = new StoredCheckpoints(this.#layout);
        for (const checkpoint of stale) checkpoints.discard(checkpoint);
        return stale;
      },
      { durable: false },
    );
  }

  #report(
    { reached, runs, entries, parts }: Verdict,
    disk: readonly ObjectOnDisk[],
    went: {
      readonly gone: readonly ObjectOnDisk[];
      readonly deferred: readonly ObjectOnDisk[];
      readonly busy: readonly string[];
      readonly leftovers: number;
      readonly checkpoints: readonly Checkpoint[];
    },
  ): Collected {
    const gone = new Set(went.gone);
    const stays = disk.filter((object) => !gone.has(object));
    return {
      runs: runs.map((row) => text(row, "id")),
      entries: entries.length,
      parts: parts.length,
      objects: sumOf(went.gone),
      deferred: { ...sumOf(went.deferred), because: went.busy },
      leftovers: went.leftovers,
      checkpoints: {
        count: went.checkpoints.length,
        bytes: went.checkpoints.reduce((sum, { size }) => sum + size, 0),
      },
      kept: { runs: reached.runs.size, objects: stays.length, bytes: sumOf(stays).bytes },
    };
  }
}

/** A row whose document is damaged says nothing, and is dealt with by `verify`. */
function fieldsOf(json: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(json);
    // Whatever it is: its properties are looked at as unknown.
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function contentOf({ type, digest, bytes }: ObjectOnDisk): Content {
  return { type, digest, size: bytes };
}

function sumOf(objects: readonly ObjectOnDisk[]): { readonly count: number; readonly bytes: number } {
  return { count: objects.length, bytes: objects.reduce((sum, { bytes }) => sum + bytes, 0) };
}
