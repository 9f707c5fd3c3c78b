/** Sessions: what one remembers changes nothing of what it says, and what is kept serves the next. */
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, it } from "vitest";
import { editedProject, editedSteps } from "./fixtures/edited-project.ts";
import { Project } from "./fixtures/project.ts";
import type { ModuleFacts } from "./module-facts.ts";
import type { FactsMemory, TypeScriptCode } from "./typescript.ts";

class Kept implements FactsMemory {
  readonly texts = new Map<string, string>();
  learnt = 0;

  get(key: string): ModuleFacts | undefined {
    const text = this.texts.get(key);
    return text === undefined ? undefined : (JSON.parse(text) as ModuleFacts);
  }

  set(key: string, facts: ModuleFacts): void {
    this.learnt++;
    this.texts.set(key, JSON.stringify(facts));
  }
}

let project: Project;
let kept: Kept;
beforeEach(() => {
  project = new Project(editedProject);
  kept = new Kept();
});
afterEach(() => project[Symbol.dispose]());

function identities(code: TypeScriptCode): readonly unknown[] {
  return Object.entries(editedSteps).flatMap(([module, steps]) =>
    steps.map((step) => code.identify(join(project.root, module), step)),
  );
}

it("whatever was asked about before, a step's identity is the same", () => {
  project.write({
    // Cycles, and names that may come from several places: where an answer could depend on the way to it.
    "cycle/a.ts":
      'export * from "./b.ts";\nexport * from "./c.ts";\nimport { b } from "./b.ts";\nexport const a = { b };\n',
    "cycle/b.ts":
      'export * from "zod";\nexport * from "./a.ts";\nimport { a, x } from "./a.ts";\nexport const b = { a };\nexport const y = `${x}${a.b}`;\n',
    "cycle/c.ts": 'import { b } from "./b.ts";\nexport const x = { b: b.a };\nexport const z = [x, b.a.b];\n',
  });
  const asked = [
    ...["a", "b", "x", "y", "z"].map((name) => ["cycle/a.ts", name] as const),
    ...["a", "b", "x", "y", "z"].map((name) => ["cycle/b.ts", name] as const),
    ...["x", "z"].map((name) => ["cycle/c.ts", name] as const),
    ...Object.entries(editedSteps).flatMap(([module, steps]) => steps.map((step) => [module, step] as const)),
  ];
  const identity = (code: TypeScriptCode, [module, name]: readonly [string, string]): unknown =>
    code.identify(join(project.root, module), name);
  const alone = new Map(asked.map((each) => [each, identity(project.session(), each)]));
  fc.assert(
    fc.property(fc.shuffledSubarray(asked, { minLength: 2 }), (some) => {
      const code = project.session();
      for (const each of some) expect(identity(code, each)).toEqual(alone.get(each));
    }),
    { numRuns: 40 },
  );
});

it("a second session parses nothing, and says the same as one that remembers nothing", () => {
  const first = identities(project.session(kept));
  const modules = kept.learnt;
  expect(modules).toBeGreaterThan(20);
  expect(identities(project.session(kept))).toEqual(first);
  expect(identities(project.session())).toEqual(first);
  expect(kept.learnt).toBe(modules);
});

it("an edited module is looked at again, and it alone", () => {
  identities(project.session(kept));
  const modules = kept.learnt;
  project.write({ "features/shift.ts": "export const shift = (x: number, by: number): number => x - by;\n" });
  expect(identities(project.session(kept))).toEqual(identities(project.session()));
  expect(kept.learnt).toBe(modules + 1);
});

it("a remembered module still knows where its text is", () => {
  const step = "export const step = (name: string) =>\n  import(name);\n";
  project.write({ "a.ts": step, "b.ts": step });
  for (const file of ["a.ts", "b.ts"]) {
    const { uncacheable } = project.session(kept).identify(join(project.root, file), "step");
    expect(uncacheable[0]?.site).toEqual({ file: join(project.root, file), line: 2, column: 3 });
  }
});
