/** Lockfiles: the integrity of what a package manager installed, by name and version. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const readers: readonly (readonly [
  file: string,
  read: (text: string) => Iterable<readonly [string, string]>,
])[] = [
  ["pnpm-lock.yaml", readPnpm],
  ["package-lock.json", readNpm],
  ["npm-shrinkwrap.json", readNpm],
  ["yarn.lock", readYarn],
  ["bun.lock", readBun],
];

/** Looks up integrities in the nearest lockfile, each read once. */
export class Lockfiles {
  readonly #folders = new Map<string, ReadonlyMap<string, string> | null>();

  /** The integrity of a version, by the lockfile of a folder or of the nearest one around it. */
  integrity(folder: string, name: string, version: string): string | undefined {
    return this.#around(folder)?.get(`${name}@${version}`);
  }

  #around(folder: string): ReadonlyMap<string, string> | null {
    const passed: string[] = [];
    let at = folder;
    let found = this.#folders.get(at);
    while (found === undefined) {
      passed.push(at);
      found = readLockfile(at) ?? (dirname(at) === at ? null : this.#folders.get(dirname(at)));
      at = dirname(at);
    }
    for (const each of passed) this.#folders.set(each, found);
    return found;
  }
}

function readLockfile(folder: string): ReadonlyMap<string, string> | undefined {
  for (const [file, read] of readers) {
    let text: string;
    try {
      text = readFileSync(join(folder, file), "utf8");
    } catch {
      continue;
    }
    try {
      return new Map(read(text));
    } catch {
      // A lockfile in the middle of a merge says nothing of what is installed.
      return new Map();
    }
  }
  return undefined;
}

/** `  'name@1.0.0':` and below it `resolution: {integrity: sha512-…}`. A YAML parser would take longer than all else. */
function* readPnpm(text: string): Generator<readonly [string, string]> {
  const entry =
    /^ {2}['"]?\/?(@?[^@'"\s()]+@[^'"\s()]+)[^\n]*:\r?\n {4}resolution: \{[^}\n]*integrity: ([^,}\s]+)/gm;
  for (const [, key = "", integrity = ""] of text.matchAll(entry)) yield [key.replace(/:$/, ""), integrity];
}

function* readNpm(text: string): Generator<readonly [string, string]> {
  // Of the form that npm writes since version 7; anything else gives no entries.
  const { packages = {} } = JSON.parse(text) as {
    readonly packages?: Readonly<
      Record<string, { readonly name?: string; readonly version?: string; readonly integrity?: string }>
    >;
  };
  for (const [path, { name, version, integrity }] of Object.entries(packages)) {
    const place = path.split("node_modules/").at(-1) ?? path;
    if (version !== undefined && integrity !== undefined) yield [`${name ?? place}@${version}`, integrity];
  }
}

/** Both of its formats: the first is almost YAML, the second is. */
function* readYarn(text: string): Generator<readonly [string, string]> {
  for (const block of text.split(/\r?\n\r?\n/)) {
    const resolved = /^ {2}resolution: "(@?[^@"]+)@npm:([^"]+)"/m.exec(block);
    const header = /^"?(@?[^@"\s#]+)@/m.exec(block);
    const name = resolved?.[1] ?? header?.[1];
    const version = resolved?.[2] ?? /^ {2}version:? "?([^"\s]+)"?/m.exec(block)?.[1];
    const integrity = /^ {2}(?:integrity|checksum):? "?([^"\s]+)"?/m.exec(block)?.[1];
    if (name !== undefined && version !== undefined && integrity !== undefined)
      yield [`${name}@${version}`, integrity];
  }
}

function* readBun(text: string): Generator<readonly [string, string]> {
  const entry = /^\s*"[^"]+": \["(@?[^@"]+@[^"]+)".*"(sha\d+-[^"]+)"\],?\s*$/gm;
  for (const [, key = "", integrity = ""] of text.matchAll(entry)) yield [key, integrity];
}
