import { describe, expect, test } from "vitest";
import { environmentOf, type EnvironmentQuestion } from "./environment.ts";

const user = {
  PATH: "/usr/bin",
  HOME: "/home/u",
  TZ: "Europe/Rome",
  LC_ALL: "it_IT",
  LR: "0.1",
  TOKEN: "s3cret",
  SHELL: "/bin/zsh",
};

function of(
  question: Partial<EnvironmentQuestion>,
  env: NodeJS.ProcessEnv = user,
): ReturnType<typeof environmentOf> {
  return environmentOf({ language: "command", env: [], ...question }, env);
}

test("a step that declares nothing sees where things lie, and what is fixed", () => {
  expect(of({}).childEnv).toEqual({
    PATH: "/usr/bin",
    HOME: "/home/u",
    TZ: "UTC",
    LANG: "C.UTF-8",
    PYTHONHASHSEED: "0",
    PYTHONDONTWRITEBYTECODE: "1",
    PYTHONUNBUFFERED: "1",
  });
});

describe("the key's part", () => {
  const variable = (name: string, secret = false): Partial<EnvironmentQuestion> => ({
    env: [{ name, secret }],
  });
  const rows: Readonly<
    Record<
      string,
      readonly [question: Partial<EnvironmentQuestion>, env: NodeJS.ProcessEnv, isOther: boolean]
    >
  > = {
    "a declared variable with another value": [variable("LR"), { ...user, LR: "0.2" }, true],
    "a declared variable that is now empty": [variable("LR"), { ...user, LR: "" }, true],
    "a declared variable that is now unset": [variable("LR"), { PATH: "/usr/bin" }, true],
    "a variable that nobody declared: nothing": [variable("LR"), { ...user, DEBUG: "1" }, false],
    "a secret rotated: nothing": [variable("TOKEN", true), { ...user, TOKEN: "other" }, false],
    "a secret that is gone": [variable("TOKEN", true), { PATH: "/usr/bin" }, true],
    "another TZ of the machine: nothing": [{}, { ...user, TZ: "Asia/Tokyo" }, false],
    "another TZ where it is declared": [variable("TZ"), { ...user, TZ: "Asia/Tokyo" }, true],
    "another home, user and PATH: nothing": [
      {},
      { ...user, HOME: "/root", USER: "root", PATH: "/bin" },
      false,
    ],
    "another PATH where it is declared": [variable("PATH"), { ...user, PATH: "/bin" }, true],
  };
  test.each(Object.entries(rows))("%s", (_, [question, env, isOther]) => {
    const [before, after] = [of(question).document, of(question, env).document];
    expect(JSON.stringify(after) !== JSON.stringify(before)).toBe(isOther);
  });

  test("names a secret and never its value, also when it is declared twice", () => {
    const { document, childEnv } = of({
      env: [
        { name: "TOKEN", secret: true },
        { name: "TOKEN", secret: false },
      ],
    });
    expect(document.variables).toEqual({ TOKEN: { secret: true, set: true } });
    expect(JSON.stringify(document)).not.toContain("s3cret");
    expect(childEnv["TOKEN"]).toBe("s3cret");
  });

  test("an unset TZ that is declared stays UTC: the machine's own would show otherwise", () => {
    const { document, childEnv } = of(variable("TZ"), {});
    expect(document.variables).toEqual({ TZ: { unset: true } });
    expect(childEnv["TZ"]).toBe("UTC");
  });

  test("Node's major version for TypeScript, Python's and the tools' for commands", () => {
    expect(of({ language: "typescript" }).document).toMatchObject({
      platform: process.platform,
      node: process.versions.node.split(".")[0],
    });
    const tool = {
      tool: null,
      tools: { sh: { name: "sh", digest: "aa" } },
      python: { implementation: "CPython", version: "3.11.7" },
    };
    const { document } = of({ language: "python", tool });
    expect(document).toEqual({
      platform: process.platform,
      arch: process.arch,
      python: { implementation: "CPython", version: "3.11.7" },
      tools: { sh: "aa" },
      variables: {},
    });
  });
});
