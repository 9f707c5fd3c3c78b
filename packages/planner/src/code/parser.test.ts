import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

/** What a process says that has parsed something with a variable as the user has set it. */
function afterParsing(given?: string): { variable: string | null; hugeKib: number } {
  const script = `
    import { existsSync, readFileSync } from "node:fs";
    import { loadedParser } from ${JSON.stringify(new URL("./parser.ts", import.meta.url).href)};
    loadedParser().parseSync("a.ts", "export const a: number = 1;").program;
    const maps = existsSync("/proc/self/smaps") ? readFileSync("/proc/self/smaps", "utf8") : "";
    const hugeKib = [...maps.matchAll(/^AnonHugePages: +([0-9]+) kB$/gm)].reduce((sum, [, kib]) => sum + Number(kib), 0);
    console.log(JSON.stringify({ variable: process.env.MIMALLOC_EAGER_COMMIT ?? null, hugeKib }));
  `;
  const { MIMALLOC_EAGER_COMMIT: _, ...env } = process.env;
  const said = execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
    env: given === undefined ? env : { ...env, MIMALLOC_EAGER_COMMIT: given },
  });
  // What the script above prints.
  return JSON.parse(said) as ReturnType<typeof afterParsing>;
}

const policy = "/sys/kernel/mm/transparent_hugepage/enabled";
/** Whether the kernel gives huge pages also to those who do not ask for them. */
const givesToAll = existsSync(policy) && readFileSync(policy, "utf8").includes("[always]");

describe("the parser", () => {
  test.skipIf(givesToAll)("takes no huge pages, and leaves no variable behind", () => {
    expect(afterParsing()).toEqual({ variable: null, hugeKib: 0 });
  });

  test("goes by the variable of its allocator where the user has set it", () => {
    expect(afterParsing("1").variable).toBe("1");
  });
});
