import fc from "fast-check";
import { expect, it } from "vitest";
import { cut, mlflowNames } from "./mlflow-names.ts";

it.each([
  ["mae", "mae"],
  ["score/mae", "score/mae"],
  ["größe 2.0:x-y", "größe 2.0:x-y"],
  ["fit[lr=0.1]/mae", "fit_lr_0.1_/mae"],
  ["a//b/../.", "a/_/b/__/_"],
  ["", "_"],
])("%j becomes %j", (name, expected) => {
  expect(mlflowNames([name]).get(name)).toBe(expected);
});

it("names that would become the same are kept apart, and a name that is fine stays", () => {
  const names = mlflowNames(["fit[1]", "fit(1)", "fit_1_"]);
  expect([...names.values()]).toEqual([
    expect.stringMatching(/^fit_1_-[0-9a-f]{8}$/),
    expect.stringMatching(/^fit_1_-[0-9a-f]{8}$/),
    "fit_1_",
  ]);
});

it("whatever names there are: each is taken by MLflow, none is too long, no two are one", () => {
  const name = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.constantFrom(".", "..", "/", "a[1]", "a(1)"),
  );
  fc.assert(
    fc.property(fc.uniqueArray(name, { maxLength: 8 }), (names) => {
      const made = [...mlflowNames(names).values()];
      expect(new Set(made).size).toBe(names.length);
      for (const each of made) {
        expect(each).toMatch(/^[\p{L}\p{N}_.\-/ :]+$/u);
        expect(Array.from(each).length).toBeLessThanOrEqual(250);
        expect(each.split("/")).not.toContain("..");
      }
    }),
  );
});

it("texts are cut between characters, and half a character is none", () => {
  expect(cut("😀😀😀", 3)).toEqual({ text: "😀😀😀", isCut: false });
  expect(cut("😀😀😀", 2)).toEqual({ text: "😀…", isCut: true });
  expect(cut("a\ud83d", 5)).toEqual({ text: "a\ufffd", isCut: false });
});
