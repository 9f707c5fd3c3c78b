// Loaded before everything else by --import: counts what a process does that costs time on any machine, and
// writes it as JSON to the file that COUNTS_FILE names when the process ends.
import childProcess from "node:child_process";
import fs from "node:fs";
import module from "node:module";
import sqlite from "node:sqlite";
import workerThreads from "node:worker_threads";

const counts = {
  modules: [],
  stats: [],
  reads: [],
  writes: [],
  spawns: [],
  workers: [],
  queries: 0,
  rows: 0,
};
// A thread has counts of its own, which nobody would see: that there is one is what counts.
if (workerThreads.isMainThread) count();

function count() {
  module.registerHooks({
    load(url, context, next) {
      counts.modules.push(url);
      return next(url, context);
    },
  });
  const write = fs.writeFileSync;
  tally(fs, ["statSync", "lstatSync", "existsSync", "accessSync", "fstatSync"], counts.stats);
  tally(fs, ["readFileSync", "openSync", "readdirSync", "readlinkSync", "realpathSync"], counts.reads);
  tally(
    fs,
    [
      "writeFileSync",
      "appendFileSync",
      "mkdirSync",
      "mkdtempSync",
      "renameSync",
      "linkSync",
      "symlinkSync",
      "copyFileSync",
      "utimesSync",
      "chmodSync",
    ],
    counts.writes,
  );
  tally(fs, ["rmSync", "unlinkSync", "rmdirSync", "fsyncSync", "fdatasyncSync"], counts.writes);
  tally(
    childProcess,
    ["spawn", "spawnSync", "exec", "execSync", "execFile", "execFileSync", "fork"],
    counts.spawns,
  );
  workerThreads.Worker = class extends workerThreads.Worker {
    constructor(...args) {
      super(...args);
      counts.workers.push(String(args[0]));
    }
  };
  const { StatementSync } = sqlite;
  for (const name of ["get", "all", "iterate"]) {
    const original = StatementSync.prototype[name];
    StatementSync.prototype[name] = function counted(...args) {
      counts.queries++;
      return original.apply(this, args);
    };
  }
  const run = StatementSync.prototype.run;
  StatementSync.prototype.run = function counted(...args) {
    const result = run.apply(this, args);
    counts.queries++;
    counts.rows += Number(result.changes);
    return result;
  };
  module.syncBuiltinESMExports();
  process.on("exit", () => {
    write(process.env.COUNTS_FILE, JSON.stringify(counts));
  });
}

/** Notes the first argument of each call, which is a path or the name of a program. */
function tally(owner, names, into) {
  for (const name of names) {
    const original = owner[name];
    owner[name] = Object.assign(function counted(...args) {
      into.push(String(args[0]));
      return original.apply(this, args);
    }, original);
  }
}
