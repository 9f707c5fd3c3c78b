import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openStore } from "@mlpipe/store";
import { afterEach, beforeEach, expect, test } from "vitest";
import { factsOf } from "./code/module-facts.ts";
import { TypeScriptCode } from "./code/typescript.ts";
import { CodeMemory } from "./code-memory.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mlpipe-code-memory-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

test("facts are what they were after they were kept", () => {
  for (const path of globSync(join(import.meta.dirname, "**/*.ts"))) {
    const facts = factsOf(path, readFileSync(path, "utf8"));
    expect(JSON.parse(JSON.stringify(facts)), path).toStrictEqual(facts);
  }
  const broken = factsOf("a.ts", "export const = ;");
  expect(JSON.parse(JSON.stringify(broken))).toStrictEqual(broken);
});

test("an edit is seen by a session that remembers the one before, and its undoing as well", () => {
  const [steps, lag] = [join(folder, "steps.ts"), join(folder, "lag.ts")];
  const root = join(folder, ".mlpipe");
  const identify = (remembering: boolean): unknown => {
    using store = openStore(root);
    return new TypeScriptCode({
      projectRoot: folder,
      hash: (path) => store.index.contentOf(path).digest,
      ...(remembering && { memory: new CodeMemory(store) }),
    }).identify(steps, "split");
  };
  writeFileSync(steps, 'import { lag } from "./lag.ts";\nexport const split = () => lag(1);\n');
  const found = [];
  for (const text of ["x + 1", "x + 2", "x + 1", "x + 2 // by hand"]) {
    writeFileSync(lag, `export function lag(x: number): number {\n  return ${text};\n}\n`);
    const identity = identify(true);
    expect(identity).toStrictEqual(identify(false));
    expect(identity).toStrictEqual(identify(true));
    found.push(identity);
  }
  expect(found[1]).not.toStrictEqual(found[0]);
  expect(found[2]).toStrictEqual(found[0]);
  expect(found[3]).toStrictEqual(found[1]);
});

test("facts whose row was damaged are found out anew", () => {
  const path = join(import.meta.dirname, "code-memory.ts");
  const facts = factsOf(path, readFileSync(path, "utf8"));
  const remembered = (): unknown => {
    using store = openStore(join(folder, ".mlpipe"));
    return new CodeMemory(store).get("key");
  };
  using store = openStore(join(folder, ".mlpipe"));
  new CodeMemory(store).set("key", facts);
  store.close();
  expect(remembered()).toStrictEqual(facts);
  const database = new DatabaseSync(join(folder, ".mlpipe/state.db"));
  database.exec("UPDATE facts SET document = replace(document, 'node:fs', 'node:os')");
  database.close();
  expect(remembered()).toBeUndefined();
});
