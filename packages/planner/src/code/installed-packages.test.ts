/** Packages count as they are installed, in the layouts of npm, pnpm and workspaces. */
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Project } from "./fixtures/project.ts";

let project: Project;
beforeEach(() => {
  project = new Project({
    "step.ts": `import { data } from "mlpipe";
import { grow } from "forest";
export const step = data("step", { inputs: {}, outputs: {}, run() { grow(); } });
`,
  });
});
afterEach(() => project[Symbol.dispose]());

function install(
  place: string,
  name: string,
  version: string,
  more: Readonly<Record<string, unknown>> = {},
): void {
  project.write({
    [`${place}/package.json`]: JSON.stringify({ name, version, type: "module", main: "index.js", ...more }),
    [`${place}/index.js`]: "export const grow = () => 1;\n",
  });
}

/** Names and versions, without mlpipe and the digests behind. */
function packages(step = "step.ts#step"): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(project.identify(step).packages)
      .filter(([name]) => name !== "mlpipe")
      .map(([name, identity]) => [name, identity.replaceAll(/\+[0-9a-f]{16}/g, "")]),
  );
}

describe("packages", () => {
  it("of npm: nested versions count beside hoisted ones", () => {
    install("node_modules/forest", "forest", "1.0.0", { dependencies: { tree: "^2.0.0", seed: "*" } });
    install("node_modules/forest/node_modules/tree", "tree", "2.0.0", { dependencies: { seed: "*" } });
    install("node_modules/tree", "tree", "1.0.0");
    install("node_modules/seed", "seed", "3.0.0", { dependencies: { tree: "^1.0.0" } });
    expect(packages()).toEqual({ forest: "1.0.0", seed: "3.0.0", tree: "1.0.0, 2.0.0" });
  });

  it("of pnpm: what a package links to is found from its real place", () => {
    const store = "node_modules/.pnpm";
    install(`${store}/forest@1.0.0/node_modules/forest`, "forest", "1.0.0", { dependencies: { tree: "2" } });
    install(`${store}/tree@2.0.0/node_modules/tree`, "tree", "2.0.0");
    install(`${store}/tree@1.0.0/node_modules/tree`, "tree", "1.0.0");
    project.link("node_modules/forest", `${store}/forest@1.0.0/node_modules/forest`);
    project.link("node_modules/tree", `${store}/tree@1.0.0/node_modules/tree`);
    project.link(`${store}/forest@1.0.0/node_modules/tree`, `${store}/tree@2.0.0/node_modules/tree`);
    expect(packages()).toEqual({ forest: "1.0.0", tree: "2.0.0" });
  });

  it("in a circle, optional, of peers, and not installed", () => {
    install("node_modules/forest", "forest", "1.0.0", {
      dependencies: { "@scope/tree": "1" },
      optionalDependencies: { fast: "1", absent: "1" },
      peerDependencies: { host: "1" },
      devDependencies: { tester: "1" },
    });
    install("node_modules/@scope/tree", "@scope/tree", "1.2.3", { dependencies: { forest: "1" } });
    for (const name of ["fast", "host", "tester"]) install(`node_modules/${name}`, name, "1.0.0");
    expect(packages()).toEqual({ "@scope/tree": "1.2.3", fast: "1.0.0", forest: "1.0.0", host: "1.0.0" });
  });

  it("count when a module loads them, used or not, and not for types", () => {
    install("node_modules/forest", "forest", "1.0.0");
    install("node_modules/typed", "typed", "1.0.0");
    install("node_modules/side", "side", "1.0.0");
    project.write({
      "other.ts": `import type { T } from "typed";
import "side";
import { data } from "mlpipe";
import { grow } from "forest";
export const step = data("step", { inputs: {}, outputs: {}, run() {} });
`,
    });
    expect(packages("other.ts#step")).toEqual({ forest: "1.0.0", side: "1.0.0" });
  });

  it("count when they are loaded on the way: a subpath, require, import()", () => {
    for (const name of ["forest", "lazy", "old"])
      install(`node_modules/${name}`, name, "1.0.0", { exports: { "./sub": "./index.js" } });
    project.write({
      "step.ts": `import { createRequire } from "node:module";
import { grow } from "forest/sub";
const require = createRequire(import.meta.url);
export const step = async () => [grow, await import("lazy/sub"), require("old/sub")];
`,
    });
    expect(packages()).toEqual({ forest: "1.0.0", lazy: "1.0.0", old: "1.0.0" });
  });

  it("count through re-exports of the project", () => {
    install("node_modules/forest", "forest", "1.0.0");
    project.write({
      "kit.ts": 'export * from "forest";\n',
      "step.ts": 'import { grow } from "./kit.ts";\nexport const step = () => grow();\n',
    });
    expect(packages()).toEqual({ forest: "1.0.0" });
  });

  it("that are not installed are said", () => {
    expect(project.identify("step.ts#step").uncacheable.map(({ message }) => message)).toEqual([
      "forest leads nowhere",
    ]);
  });

  it("of Node itself do not count", () => {
    project.write({
      "step.ts":
        'import fs from "fs";\nimport { join } from "node:path";\nexport const step = () => [fs, join];\n',
    });
    expect(packages()).toEqual({});
  });
});

describe("the digest of what is installed", () => {
  const identity = (): string | undefined => project.identify("step.ts#step").packages["forest"];

  it("is of the files where no lockfile speaks, so that an edit in place is seen", () => {
    install("node_modules/forest", "forest", "1.0.0");
    const before = identity();
    expect(before).toMatch(/^1\.0\.0\+[0-9a-f]{16}$/);
    project.write({ "node_modules/forest/index.js": "export const grow = () => 2;\n" });
    expect(identity()).not.toBe(before);
  });

  it.each([
    [
      "pnpm-lock.yaml",
      (version: string, sha: string) =>
        `lockfileVersion: '9.0'\n\npackages:\n\n  '@scope/x@1.0.0':\n    resolution: {integrity: sha512-x==}\n\n  forest@${version}:\n    resolution: {integrity: sha512-${sha}==}\n    engines: {node: '>=18'}\n\nsnapshots:\n\n  forest@${version}: {}\n`,
    ],
    [
      "package-lock.json",
      (version: string, sha: string) =>
        JSON.stringify({
          lockfileVersion: 3,
          packages: { "": {}, "node_modules/forest": { version, integrity: `sha512-${sha}==` } },
        }),
    ],
    [
      "yarn.lock",
      (version: string, sha: string) =>
        `# yarn lockfile v1\n\n\nforest@^1.0.0, forest@^1.0.1:\n  version "${version}"\n  resolved "https://x/forest.tgz#1"\n  integrity sha512-${sha}==\n`,
    ],
    [
      "yarn.lock",
      (version: string, sha: string) =>
        `__metadata:\n  version: 8\n\n"forest@npm:^1.0.0":\n  version: ${version}\n  resolution: "forest@npm:${version}"\n  checksum: 10c0/${sha}\n  languageName: node\n`,
    ],
    [
      "bun.lock",
      (version: string, sha: string) =>
        `{\n  "packages": {\n    "forest": ["forest@${version}", "", { "dependencies": {} }, "sha512-${sha}=="],\n  }\n}\n`,
    ],
  ])("is the integrity in %s, if that speaks of the installed version", (file, lock) => {
    install("node_modules/forest", "forest", "1.0.0");
    const byFiles = identity();
    project.write({ [file]: lock("1.0.0", "aaaa") });
    const locked = identity();
    expect(locked).not.toBe(byFiles);
    project.write({ [file]: lock("1.0.0", "bbbb") });
    expect(identity()).not.toBe(locked);
    // Pulled, but not installed: the old code keeps its own name.
    project.write({ [file]: lock("1.0.1", "cccc") });
    expect(identity()).toBe(byFiles);
    project.write({ [file]: "<<<<<<< in the middle of a merge" });
    expect(identity()).toBe(byFiles);
  });

  it.each(["forest+1.0.0.patch", "forest@1.0.0.patch"])(
    "is of the files of a package that the project patches in place (%s), whatever the lockfile says",
    (patch) => {
      install("node_modules/forest", "forest", "1.0.0");
      const packages = { "node_modules/forest": { version: "1.0.0", integrity: "sha512-aaaa==" } };
      project.write({ "package-lock.json": JSON.stringify({ packages }), [`patches/${patch}`]: "" });
      const before = identity();
      project.write({ "node_modules/forest/index.js": "export const grow = () => 2;\n" });
      expect(identity()).not.toBe(before);
    },
  );

  it("of a new version is new, whatever the lockfile says", () => {
    install("node_modules/forest", "forest", "1.0.0");
    const before = identity();
    install("node_modules/forest", "forest", "1.0.1");
    expect(identity()).not.toBe(before);
    expect(identity()).toMatch(/^1\.0\.1\+/);
  });
});

describe("packages linked from a workspace", () => {
  it("count by their source, named by the project", () => {
    install("packages/forest", "forest", "1.0.0", { exports: "./src/grow.ts" });
    project.write({
      "packages/forest/src/grow.ts": "export const grow = () => 1;\nexport const fell = () => 2;\n",
    });
    project.link("node_modules/forest", "packages/forest");
    const before = project.identify("step.ts#step");
    expect(Object.keys(before.parts).toSorted()).toEqual([
      "packages/forest/src/grow.ts#grow",
      "step.ts#step",
    ]);
    expect(packages()).toEqual({});
    project.write({
      "packages/forest/src/grow.ts": "export const grow = () => 1;\nexport const fell = () => 3;\n",
    });
    expect(project.identify("step.ts#step").parts).toEqual(before.parts);
  });

  it("outside of the project are named by the package", () => {
    using other = new Project({
      "package.json": '{ "name": "@team/forest", "type": "module", "exports": "./src/grow.ts" }',
      "src/grow.ts": 'import { tree } from "./tree.ts";\nexport const grow = () => tree;\n',
      "src/tree.ts": "export const tree = 1;\n",
    });
    project.link("node_modules/forest", other.root);
    expect(Object.keys(project.identify("step.ts#step").parts).toSorted()).toEqual([
      "@team/forest/src/grow.ts#grow",
      "@team/forest/src/tree.ts#tree",
      "step.ts#step",
    ]);
  });

  it("mlpipe itself counts by its version, linked or not", () => {
    install("node_modules/forest", "forest", "1.0.0");
    const { parts, packages: all } = project.identify("step.ts#step");
    expect(all["mlpipe"]).toMatch(/^\d+\.\d+\.\d+$/);
    expect(Object.keys(parts)).toEqual(["step.ts#step"]);
  });
});

describe("conditions of exports", () => {
  it("are Node's, for import and for require", () => {
    install("packages/forest", "forest", "1.0.0", {
      exports: {
        browser: "./browser.ts",
        import: "./import.ts",
        require: "./require.cjs",
        default: "./default.ts",
      },
    });
    project.write({
      "packages/forest/import.ts": "export const grow = () => 1;\n",
      "packages/forest/require.cjs": "exports.grow = () => 2;\n",
      "step.cjs": 'exports.step = require("forest");\n',
    });
    project.link("node_modules/forest", "packages/forest");
    expect(Object.keys(project.identify("step.ts#step").parts)).toContain("packages/forest/import.ts#grow");
    expect(
      Object.keys(project.session().identifyModule(join(project.root, "step.cjs")).parts).toSorted(),
    ).toEqual(["packages/forest/require.cjs", "step.cjs"]);
  });

  it("changed so that another file is loaded: another code", () => {
    install("packages/forest", "forest", "1.0.0", { exports: { import: "./a.ts" } });
    project.write({
      "packages/forest/a.ts": "export const grow = () => 1;\n",
      "packages/forest/b.ts": "export const grow = () => 1;\n",
    });
    project.link("node_modules/forest", "packages/forest");
    const before = project.identify("step.ts#step").parts;
    install("packages/forest", "forest", "1.0.0", { exports: { import: "./b.ts" } });
    const after = project.identify("step.ts#step").parts;
    expect(after["step.ts#step"]).not.toBe(before["step.ts#step"]);
    expect(Object.keys(after)).toContain("packages/forest/b.ts#grow");
  });
});
