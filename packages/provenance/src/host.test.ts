import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { hostFacts } from "./host.ts";

test("of the environment only what tells how numbers are computed is recorded", async () => {
  const facts = await hostFacts(tmpdir(), {
    OMP_NUM_THREADS: "2",
    AWS_SECRET_ACCESS_KEY: "no",
    HOME: "/home/ana",
  });
  expect(facts.variables).toEqual({ OMP_NUM_THREADS: "2" });
});
