/**
 * Runs a command that knows its files by their places in the project, as stages of DVC do. A step of mlpipe is given
 * its inputs elsewhere and writes its outputs elsewhere, so the command is given a folder of its own that looks like
 * the project: its inputs and params under the names it knows, no output of another step, everything else as it is.
 *
 *   node dvc-stage.mjs --in=data/raw.csv<INPUT --param=params.yaml#train.lr=0.1 --out=model.pkl>OUTPUT --run=COMMAND
 *
 *   --in=PLACE<PATH         an input, and where it lies
 *   --out=PLACE>PATH        an output, and where to put it once all commands have succeeded
 *   --param=FILE#NAME=JSON  a value for a params file; an empty NAME is the whole file
 *   --text=FILE#NAME=TEXT   the same for a text
 *   --float=FILE#NAME       that number is written as 1.0 and not as 1
 *   --plain=FILE#NAME       that text is written without quotes: a date
 *   --options=WORD=JSON     a section, whose options stand in commands for @{WORD}: --lr 0.1 --fast
 *   --hide=[PLACE, …]       what the command must not find: outputs of others, as JSON
 *   --wdir=FOLDER           where the commands run
 *   --code=SCRIPT           what the commands run: for mlpipe, which follows its imports
 *   --run=COMMAND           a command for the shell; several run one after the other
 *
 * Yours to change: a script that takes its paths as arguments needs none of this, and can be the step's command itself.
 */
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, extname, join, normalize, resolve } from "node:path";

const project = process.cwd();
const mirror = join(process.env.TMPDIR ?? ".", "project");

/** What the project's tools keep for themselves. */
const left = new Set([".git", ".dvc", ".mlpipe", "node_modules"]);
/** Code is copied and not linked: a script may look for its project from where it lies itself. */
const code = new Set(
  ".py .pyi .r .jl .sh .bash .pl .rb .js .mjs .ts .sql .ipynb .rmd .qmd .lua .m".split(" "),
);

const inputs = new Map();
const outputs = new Map();
const params = new Map();
const marks = new Map();
const sections = new Map();
const hidden = [];
const commands = [];
let wdir = ".";

for (const argument of process.argv.slice(2)) {
  const [, option, value] = /^--(\w+)=([^]*)$/.exec(argument) ?? [];
  if (option === "in") inputs.set(...pair(value, "<"));
  else if (option === "out") outputs.set(...pair(value, ">"));
  else if (option === "param" || option === "text") param(option, value);
  else if (option === "float" || option === "plain") marks.set(value, option);
  else if (option === "options")
    sections.set(...pair(value, "=").map((text, index) => (index === 0 ? text : JSON.parse(text))));
  else if (option === "hide") hidden.push(...JSON.parse(value).map((place) => normalize(place)));
  else if (option === "wdir") wdir = value;
  else if (option === "run") commands.push(value);
  else if (option !== "code") fail(`dvc-stage: what is ${argument}?`);
}

/** Places by name: a node with children becomes a folder of its own. */
const tree = { children: new Map() };
for (const place of [...hidden, ...outputs.keys()]) nodeAt(place).isHidden = true;
for (const file of params.keys()) nodeAt(file).isHidden = true;
for (const [place, path] of inputs) Object.assign(nodeAt(place), { from: resolve(path), isHidden: false });

rmSync(mirror, { recursive: true, force: true });
lay(tree, project, mirror, left);
/** Outputs in the folder of another come first: they are copied out of it. */
const deepest = [...outputs].toSorted(([a], [b]) => b.split("/").length - a.split("/").length);
const isInner = (place) => [...outputs.keys()].some((other) => place.startsWith(`${other}/`));
for (const [place] of deepest)
  if (!isInner(place)) mkdirSync(join(mirror, dirname(place)), { recursive: true });
for (const [file, content] of params) {
  mkdirSync(join(mirror, dirname(file)), { recursive: true });
  writeFileSync(join(mirror, file), `${written(content, `${file}#`)}\n`);
}
mkdirSync(join(mirror, wdir), { recursive: true });

const shell = existsSync("/bin/bash") ? "/bin/bash" : "/bin/sh";
for (const template of commands) {
  const command = template.replace(/@\{(\w+)\}/g, (text, word) =>
    sections.has(word) ? options(sections.get(word), "").join(" ") : text,
  );
  const { status, signal } = spawnSync(shell, ["-c", command], { cwd: join(mirror, wdir), stdio: "inherit" });
  if (signal !== null) process.kill(process.pid, signal);
  if (status === 0) continue;
  for (const file of params.keys())
    console.error(`dvc-stage: in ${file} the command finds the params that its step is given, and no others`);
  process.exit(status ?? 1);
}
for (const [place, path] of deepest) {
  const made = join(mirror, place);
  if (!existsSync(made)) fail(`dvc-stage: the command did not make ${place}`);
  take(made, resolve(path), isInner(place));
}

/** What stands before and after the first of some mark. */
function pair(text, mark) {
  const at = text.indexOf(mark);
  return [normalize(text.slice(0, at)), text.slice(at + 1)];
}

function param(type, text) {
  const [, file = "", name = "", value = ""] = /^([^#]*)#([^=]*)=([^]*)$/.exec(text) ?? [];
  let content = value;
  try {
    if (type === "param") content = JSON.parse(value);
  } catch {
    // A value that may be of any type, and is a text.
  }
  const place = normalize(file);
  if (name === "") return params.set(place, content);
  const path = name.split(".");
  let at = params.get(place) ?? {};
  params.set(place, at);
  for (const part of path.slice(0, -1)) at = at[part] ??= {};
  const last = path.at(-1);
  // A section may be given beside one of its own values.
  const isSection = typeof at[last] === "object" && typeof content === "object" && content !== null;
  at[last] = isSection && !Array.isArray(content) ? { ...content, ...at[last] } : content;
}

/** The options of a section, as DVC writes them. */
function options(value, name) {
  const quoted = (item) => {
    const text = typeof item === "string" ? item : JSON.stringify(item);
    return /^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
  };
  if (Array.isArray(value)) return value.length === 0 ? [] : [`--${name}`, ...value.map(quoted)];
  if (typeof value === "object" && value !== null)
    return Object.entries(value).flatMap(([key, inner]) =>
      options(inner, name === "" ? key : `${name}.${key}`),
    );
  if (value === true) return [`--${name}`];
  return value === false || value === null ? [] : [`--${name}`, quoted(value)];
}

/** JSON that every reader of YAML takes for the same. */
function written(value, path) {
  const below = (name) => (path.endsWith("#") ? `${path}${name}` : `${path}.${name}`);
  const mark = marks.get(path);
  if (typeof value === "number") {
    const text = String(value);
    if (/e/.test(text) && !text.includes(".")) return text.replace("e", ".0e");
    return mark === "float" && Number.isInteger(value) ? `${text}.0` : text;
  }
  if (typeof value === "string" && mark === "plain") return value;
  if (Array.isArray(value)) return `[${value.map((item, index) => written(item, below(index))).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const lines = Object.entries(value).map(
      ([name, inner]) => `${JSON.stringify(name)}: ${written(inner, below(name))}`,
    );
    return `{${lines.join(", ")}}`;
  }
  return JSON.stringify(value);
}

function nodeAt(place) {
  let node = tree;
  for (const part of normalize(place)
    .split("/")
    .filter((name) => name !== "" && name !== ".")) {
    if (!node.children.has(part)) node.children.set(part, { children: new Map() });
    node = node.children.get(part);
  }
  return node;
}

/** Lays a place of the project out at its place in the folder. */
function lay(node, real, place, without = new Set()) {
  const from = node.from ?? (node.isHidden ? undefined : real);
  if (node.children.size === 0) {
    if (from !== undefined && existsSync(from)) symlinkSync(from, place);
    return;
  }
  mkdirSync(place, { recursive: true });
  if (from !== undefined && statSync(from, { throwIfNoEntry: false })?.isDirectory() === true) {
    for (const entry of readdirSync(from, { withFileTypes: true })) {
      if (node.children.has(entry.name) || without.has(entry.name)) continue;
      show(join(from, entry.name), join(place, entry.name), entry.isDirectory());
    }
  }
  for (const [name, child] of node.children) lay(child, join(from ?? real, name), join(place, name));
}

/** Shows a file or folder of the project: a link, unless there is code in it. */
function show(real, place, isFolder) {
  if (!isFolder || !hasCode(real)) {
    if (!isFolder && isCode(real) && statSync(real, { throwIfNoEntry: false })?.isFile())
      copyFileSync(real, place);
    else symlinkSync(real, place);
    return;
  }
  mkdirSync(place);
  for (const entry of readdirSync(real, { withFileTypes: true })) {
    if (entry.name !== "__pycache__")
      show(join(real, entry.name), join(place, entry.name), entry.isDirectory());
  }
}

function isCode(path) {
  return code.has(extname(path).toLowerCase());
}

function hasCode(folder) {
  const names = readdirSync(folder, { withFileTypes: true });
  // What is installed there finds itself by its own path.
  const isEnvironment = names.some(({ name }) => name === "pyvenv.cfg" || name === "conda-meta");
  if (isEnvironment || basename(folder).endsWith(".egg-info")) return false;
  return names.some((entry) =>
    entry.isDirectory() ? hasCode(join(folder, entry.name)) : isCode(entry.name),
  );
}

function take(made, path, isCopied) {
  if (isCopied || lstatSync(made).isSymbolicLink())
    return cpSync(made, path, { recursive: true, dereference: true });
  rmSync(path, { recursive: true, force: true });
  renameSync(made, path);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
