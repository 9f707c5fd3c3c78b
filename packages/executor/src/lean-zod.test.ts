import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const here = import.meta.dirname;

/** What a process that imports zod in some way says of zod's languages. */
function said(load: string): {
  readonly names: string[];
  readonly german: string;
  readonly loaded: number;
  readonly others: string[];
} {
  const script = `
    import { registerHooks } from "node:module";
    import { withLeanZod } from ${JSON.stringify(join(here, "lean-zod.ts"))};
    let loaded = 0;
    const others = [];
    registerHooks({ load(url, context, next) {
      if (/zod\\/v4\\/locales\\/(?!index)/.test(url)) loaded++;
      else others.push(url);
      return next(url, context);
    } });
    const { z } = await ${load};
    const whenImported = loaded;
    const othersThen = others.toSorted();
    z.config(z.locales.de());
    const german = z.string().safeParse(1).error.issues[0].message;
    process.stdout.write(JSON.stringify({ names: Object.keys(z.locales), german, loaded: whenImported, others: othersThen }));`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    cwd: here,
    encoding: "utf8",
  });
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  return JSON.parse(stdout) as ReturnType<typeof said>;
}

test("zod has the same languages, and loads those alone that are asked for", () => {
  const usual = said('import("zod")');
  const lean = said('withLeanZod(() => import("zod"))');
  expect(lean.names).toEqual(usual.names);
  expect(lean.german).toBe(usual.german);
  expect(lean.german).toContain("Ungültige Eingabe");
  expect(usual.loaded).toBeGreaterThan(40);
  // English is imported by name.
  expect(lean.loaded).toBeLessThan(3);
  // Everything else is the same, from the same places.
  expect(lean.others).toEqual(usual.others);
  expect(lean.others.length).toBeGreaterThan(20);
});

test("what is loaded after that is loaded as always", () => {
  expect(said('withLeanZod(async () => {}).then(() => import("zod"))').loaded).toBeGreaterThan(40);
});
