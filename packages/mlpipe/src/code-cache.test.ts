import { execFileSync } from "node:child_process";
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mlpipe-code-cache-"));
  writeFileSync(join(folder, "some.code.js"), code);
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const code = `(function ($meta, $import, $imports) { "use strict";
  const sum = async (a, b) => a + b + (await $import("./other.mjs")).ten + $imports[0].hundred;
  return { sum, from: $meta.url };
})`;

/** What a process prints that takes the code of that digest. */
function use(digest: string, env: Readonly<Record<string, string>> = {}): string {
  const script = `
    import { enableCompileCache } from "node:module";
    import { pathToFileURL } from "node:url";
    enableCompileCache();
    const { codeOf } = await import(${JSON.stringify(new URL("./code-cache.ts", import.meta.url).href)});
    const file = pathToFileURL(${JSON.stringify(join(folder, "some.code.js"))});
    const { sum, from } = codeOf(file, "${digest}")({ url: "file:///here" }, async () => ({ ten: 10 }), [{ hundred: 100 }]);
    console.log(await sum(1, 2), from);
  `;
  return execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
    env: { ...process.env, NODE_COMPILE_CACHE: join(folder, "cache"), ...env },
  }).trim();
}

/** By name, what is kept of it. */
function kept(): Readonly<Record<string, Buffer>> {
  const cache = join(folder, "cache");
  const files = readdirSync(cache, { recursive: true, encoding: "utf8" });
  const ours = files.filter((file) => file.includes("mlpipe-"));
  return Object.fromEntries(ours.map((file) => [file.replace(/^.*\//, ""), readFileSync(join(cache, file))]));
}

function pathOfKept(): string {
  const cache = join(folder, "cache");
  const files = readdirSync(cache, { recursive: true, encoding: "utf8" });
  return join(cache, files.find((file) => file.includes("mlpipe-")) ?? "");
}

const right = "113 file:///here";

test("the functions that were called are kept, are taken by later processes, and after four are not written any more", () => {
  const generations = Array.from({ length: 5 }, () => {
    expect(use("aa")).toBe(right);
    return kept()["mlpipe-aa"]?.[0];
  });
  // The first byte counts the processes that took what the one before them had kept, and added to it.
  expect(generations).toEqual([1, 2, 3, 4, 4]);
  expect(Object.keys(kept())).toEqual(["mlpipe-aa"]);
});

test("what is kept has the functions that were called, and no others", () => {
  const uncalled = code.replace("const sum =", "const never =").replace("{ sum,", "{ sum: () => 113,");
  use("aa");
  writeFileSync(join(folder, "some.code.js"), uncalled);
  expect(use("bb")).toBe(right);
  // A name that stands nowhere but in the code of the function.
  expect(kept()["mlpipe-aa"]?.includes("hundred")).toBe(true);
  expect(kept()["mlpipe-bb"]?.includes("hundred")).toBe(false);
});

test.each([
  ["cut off", (bytes: Buffer) => bytes.subarray(0, 300)],
  ["empty", () => Buffer.alloc(0)],
  ["with a byte changed", (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -1), Buffer.of(7)])],
])("what is kept, %s, is made anew", (_, damage) => {
  use("aa");
  use("aa");
  const path = pathOfKept();
  writeFileSync(path, damage(readFileSync(path)));
  expect(use("aa")).toBe(right);
  expect(kept()["mlpipe-aa"]?.[0]).toBe(1);
});

test("what somebody else has put there is not taken", { skip: process.getuid?.() !== 0 }, () => {
  use("aa");
  chownSync(pathOfKept(), 12_345, 12_345);
  expect(use("aa")).toBe(right);
  expect(kept()["mlpipe-aa"]?.[0]).toBe(1);
});

test("without a compile cache nothing is kept", () => {
  expect(use("aa", { NODE_DISABLE_COMPILE_CACHE: "1" })).toBe(right);
  expect(() => kept()).toThrow("ENOENT");
});
