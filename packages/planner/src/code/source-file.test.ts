import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sourceFile } from "./source-file.ts";

describe("the file that a relative import means", () => {
  let root: string;

  beforeEach(() => {
    root = realpathSync(mkdtempSync(join(tmpdir(), "mlpipe-sources-")));
  });

  afterEach(() => {
    rmSync(root, { recursive: true });
  });

  const write = (...paths: readonly string[]): void => {
    for (const path of paths) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), "");
    }
  };

  const meant = (specifier: string, importer = "steps/fit.ts"): string | undefined =>
    sourceFile(specifier, join(root, importer))?.slice(root.length + 1);

  it.each([
    ["./rows.js", "steps/rows.ts"],
    ["./rows", "steps/rows.ts"],
    ["../lib.mjs", "lib.mts"],
    ["./old", "steps/old.js"],
    ["./parts", "steps/parts/index.ts"],
    ["./plain", "steps/plain/index.js"],
    ["./two%20words.js", "steps/two words.ts"],
    ["./v1.js", "steps/v1.js.ts"],
  ])("%s", (specifier, file) => {
    write(file);
    expect(meant(specifier)).toBe(file);
  });

  it("is the source where there are several", () => {
    write("steps/rows.ts", "steps/rows.js", "steps/rows/index.ts");
    expect(meant("./rows")).toBe("steps/rows.ts");
  });

  it("has its real path", () => {
    write("shared/rows.ts");
    mkdirSync(join(root, "steps"));
    symlinkSync(join(root, "shared"), join(root, "steps/shared"));
    expect(meant("./shared/rows")).toBe("shared/rows.ts");
  });

  it("is none for packages, aliases, folders without an index, other endings and what is no path", () => {
    write("steps/rows.ts", "steps/a/b.ts", "node_modules/p/rows.ts", "steps/part.cts");
    expect(meant("./rows", "node_modules/p/index.js")).toBeUndefined();
    for (const each of [
      "rows",
      "#rows",
      "/rows",
      "./a",
      "./part",
      "./part.cjs",
      "./rows.mjs",
      "./%",
      "./a%2Fb",
    ])
      expect(meant(each)).toBeUndefined();
  });
});
