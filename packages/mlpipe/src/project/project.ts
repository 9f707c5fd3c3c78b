import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { MlpipeError } from "@mlpipe/dsl";

/** A project: the folder that paths in pipelines are relative to. */
export interface Project {
  /** Absolute path. */
  readonly root: string;
  /**
   * Absolute path of the folder that mlpipe keeps its things in: what `MLPIPE_STORE` says, else `mlpipe.store` in
   * package.json, relative to the root; `.mlpipe` if neither says anything. Not in `mlpipe.config.ts`, because commands
   * that only read execute nothing.
   *
   * @throws MlpipeError MLP6011 when asked for, if it can be no store
   */
  readonly storeRoot: string;
}

// The first that is found going upwards decides, so a pipeline inside a monorepo's package
// belongs to the package.
const marks = ["mlpipe.config.ts", "package.json", ".git"];

/** The project that a folder belongs to; the folder itself if nothing above it looks like one. */
export function findProject(cwd: string): Project {
  let folder = resolve(cwd);
  for (;;) {
    if (marks.some((mark) => existsSync(join(folder, mark)))) return projectAt(folder);
    const parent = dirname(folder);
    if (parent === folder) return projectAt(resolve(cwd));
    folder = parent;
  }
}

function projectAt(root: string): Project {
  let storeRoot: string | undefined;
  return {
    root,
    get storeRoot() {
      return (storeRoot ??= storeOf(root));
    },
  };
}

function storeOf(root: string): string {
  const variable = process.env["MLPIPE_STORE"];
  const isSet = variable !== undefined && variable !== "";
  const declared = isSet ? variable : declaredStore(root);
  if (declared === undefined) return join(root, ".mlpipe");
  const place = resolve(root, declared);
  // A slip must not fill somebody's home folder with objects.
  const names = existsSync(place) ? namesIn(place) : [];
  if (names.length === 0 || names.includes("objects")) return place;
  throw new MlpipeError("MLP6011", `${place} has other things in it, and cannot become a store.`, {
    hint: `Name a folder that is new or empty in ${isSet ? "MLPIPE_STORE" : "mlpipe.store of package.json"}.`,
  });
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    throw new MlpipeError("MLP6011", `${folder} is no folder that can be read, and cannot be a store.`);
  }
}

function declaredStore(root: string): string | undefined {
  const file = join(root, "package.json");
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
  // Most say nothing, and need not be parsed.
  if (!text.includes('"mlpipe"')) return undefined;
  const wrong = (message: string): never => {
    throw new MlpipeError("MLP6011", message, {
      at: { file, line: 1, column: 1 },
      hint: 'Write: "mlpipe": { "store": "../store" }',
    });
  };
  let settings: unknown;
  try {
    // Whatever it holds, it is looked at as unknown.
    settings = (JSON.parse(text) as { readonly mlpipe?: unknown }).mlpipe;
  } catch {
    return wrong("package.json is no JSON.");
  }
  if (typeof settings !== "object" || settings === null || !("store" in settings)) return undefined;
  return typeof settings.store === "string" && settings.store !== ""
    ? settings.store
    : wrong("mlpipe.store in package.json is no path.");
}

/** A path as manifests and records have it: relative to the root with `/`, absolute if outside. */
export function projectPath(root: string, path: string): string {
  const inside = relative(root, path);
  return inside.startsWith("..") || inside === "" ? path : inside.split(sep).join("/");
}
