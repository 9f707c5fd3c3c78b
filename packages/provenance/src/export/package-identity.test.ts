import { describe, expect, it } from "vitest";
import type { ExportedStep } from "./exported-run.ts";
import { packagesOf } from "./package-identity.ts";

const step = (language: "node" | "python", packages: Readonly<Record<string, string>>): ExportedStep => ({
  id: "fit",
  kind: "train",
  status: "ran",
  stepRun: undefined,
  isReused: false,
  inputKinds: {},
  outputKinds: {},
  packages,
  environment: { [language]: language === "node" ? "26" : { version: "3.13.1" } },
  detail: () => undefined,
});

const purls = (...steps: readonly ExportedStep[]): readonly (string | undefined)[] =>
  packagesOf(steps).map(({ purl }) => purl);

describe("packages", () => {
  it("of TypeScript steps are npm's, each version one", () => {
    expect(
      purls(step("node", { zod: "4.6.7+4b1f", "is-any": "2.0.1+07, 3.0.0+cb", "@a/b": "1.0.0-rc.1+aa" })),
    ).toEqual([
      "pkg:npm/%40a/b@1.0.0-rc.1",
      "pkg:npm/is-any@2.0.1",
      "pkg:npm/is-any@3.0.0",
      "pkg:npm/zod@4.6.7",
    ]);
  });

  it("of Python steps are PyPI's, but for those that their definitions import", () => {
    const python = step("python", {
      mlpipe: "0.1.0",
      numpy: "2.3.1+aa",
      Scikit_Learn: "1.8+bb",
      zod: "4.6.7+4b1f",
    });
    expect(purls(python, step("node", { zod: "4.6.7+4b1f" }))).toEqual([
      "pkg:pypi/scikit-learn@1.8",
      "pkg:npm/mlpipe@0.1.0",
      "pkg:pypi/numpy@2.3.1",
      "pkg:npm/zod@4.6.7",
    ]);
  });

  it("are not what else a record says beside them", () => {
    expect(purls(step("python", { "train.py>python": "CPython 3.12.1" }))).toEqual([]);
  });
});
