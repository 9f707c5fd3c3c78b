/** What was found out about a module is kept by its content, as text that another session reads. */
import { join } from "node:path";
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
