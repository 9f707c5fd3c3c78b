/**
 * What a command starts: which programs, which interpreter, which scripts. A command may be wrapped
 * (`timeout 60 uv run python train.py`) or be text for a shell, so this is read from left to right.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, extname, join, relative, resolve } from "node:path";
import { conditionsIn } from "../code/conditions.ts";
import { readEnvironmentRun } from "./environment-runner.ts";
import type { Finding } from "./findings.ts";
import { filesOfGlob } from "./globs.ts";
import * as known from "./known-programs.ts";
import type { Lookups } from "./lookups.ts";
import { readNodeArguments } from "./node-arguments.ts";
import { readPythonArguments } from "./python-arguments.ts";
import type { PythonRequest } from "./python.ts";
import { readShellText } from "./shell-text.ts";
import { isPython, isText } from "./tool.ts";

/**
 * One argument: text, null for one that a port is in, or its pieces, with null for each port. Pieces
 * around a port are only looked at where a shell's text is expected.
 */
export type CommandArgument = string | null | readonly (string | null)[];

/** A question to an interpreter about one script. */
export interface PythonStart {
  /** Absolute path of the interpreter; undefined for whichever the command's `PATH` has. */
  readonly interpreter: string | undefined;
  readonly flags: readonly string[];
  /** Variables that the command itself sets, by `env`. */
  readonly set: Readonly<Record<string, string>>;
  readonly request: PythonRequest;
  /** A program that Python runs, installed outside of the project: only what it loads counts. */
  readonly installed: boolean;
}

/** What is known of a command without reading any script. */
export interface Launch {
  /** Programs by the name they were given, with their absolute path. */
  readonly programs: ReadonlyMap<string, string>;
  readonly python: readonly PythonStart[];
  /** Files whose bytes count. */
  readonly files: ReadonlySet<string>;
  /** JavaScript and TypeScript modules that are run. */
  readonly modules: ReadonlySet<string>;
  /** Conditions that Node, or a program like it, is told to load them under. */
  readonly conditions: ReadonlySet<string>;
  /** Why the code cannot be followed; naming it by `files` settles these. */
  readonly untold: readonly Finding[];
  /** What no list of files settles: a missing program, an environment that is not there yet. */
  readonly unsettled: readonly Finding[];
  readonly warnings: readonly Finding[];
}

type Role =
  /** Scripts are run. */
  | "runs"
  /** Files are read, whatever they hold. */
  | "reads"
  /** Either. */
  | "unknown";

/** Reads one command. */
export class LaunchReader implements Launch {
  readonly programs = new Map<string, string>();
  readonly python: PythonStart[] = [];
  readonly files = new Set<string>();
  readonly modules = new Set<string>();
  readonly conditions = new Set<string>();
  readonly untold: Finding[] = [];
  readonly unsettled: Finding[] = [];
  readonly warnings: Finding[] = [];

  readonly #root: string;
  readonly #path: string | undefined;
  readonly #lookups: Lookups;
  /** The `bin` of a project's environment, which `uv run` and its like put before all others. */
  #bin: string | undefined;
  #interpreter: string | undefined;
  #flags: readonly string[] = [];
  #usesUv = false;
  #set: Readonly<Record<string, string>> = {};

  constructor(root: string, path: string | undefined, argv: readonly CommandArgument[], lookups: Lookups) {
    this.#root = root;
    this.#path = path;
    this.#lookups = lookups;
    this.#command(argv.map(joined));
  }

  #command(argv: readonly CommandArgument[]): void {
    const name = argv[0];
    // A program that comes in through a port is keyed as an input.
    if (typeof name !== "string") return this.#rest(argv, 1, "unknown");
    const base = basename(name);
    const words = argv.map((word) => (typeof word === "string" ? word : ""));
    // Of other programs -C is a folder, which no package has for a condition.
    for (const condition of conditionsIn(words)) this.conditions.add(condition);
    const file = this.#find(name);
    if (file === undefined) {
      this.unsettled.push({
        message: `command not found: ${name}`,
        hint: name.includes("/")
          ? "The path is taken from the project's root."
          : "Install it, or put its folder on PATH.",
      });
      return this.#rest(argv, 1, "unknown");
    }
    if (this.#isProjectFile(file)) return this.#projectProgram(file, argv);
    if (isPython(base)) {
      this.#interpreter = file;
      return this.#pythonArguments(argv, 1);
    }
    this.programs.set(name, file);
    if (known.wrappers.has(base)) return this.#wrapped(base, argv, 1);
    if (known.environmentRunners.has(base) && argv.includes("run")) {
      return this.#inEnvironment(base, argv, argv.indexOf("run") + 1);
    }
    if (base === "uvx" || base === "pipx" || base === "uv") {
      this.unsettled.push({
        message: `${base} chooses and installs what it runs when it runs`,
        hint: "Install the tool in the project's environment and start it from there.",
      });
      return this.#rest(argv, 1, "unknown");
    }
    if (file.split("/").includes("shims")) {
      this.warnings.push({ message: `${name} is a shim: which version it starts is not part of the key` });
    }
    this.#installedPython(file);
    if (known.shells.has(base)) return this.#shell(base, argv);
    if (known.pythonLaunchers.has(base)) return this.#launcher(base, argv, 1);
    if (known.nodes.has(base)) return this.#node(argv);
    if (known.otherInterpreters.has(base)) return this.#otherInterpreter(base, argv);
    const isJar = base === "java" && argv.includes("-jar");
    if (known.selfInstructed.has(base) && !isJar) {
      this.untold.push({
        message: `${base} reads files that the command does not name`,
        hint: `Name them: files: ["…"].`,
      });
    }
    this.#rest(argv, 1, known.dataTools.has(base) ? "reads" : "unknown");
  }

  #find(name: string): string | undefined {
    const inEnvironment =
      name.includes("/") || this.#bin === undefined ? undefined : this.#lookups.program(name, this.#bin);
    return inEnvironment ?? this.#lookups.program(name, this.#set["PATH"] ?? this.#path);
  }

  /** Whether a program is source: not one that was installed into an environment below the project. */
  #isProjectFile(file: string): boolean {
    if (!isInside(file, this.#root) || file.includes("/node_modules/")) return false;
    const environment = dirname(dirname(file));
    return !existsSync(join(environment, "pyvenv.cfg")) && !existsSync(join(environment, "conda-meta"));
  }

  /** A program of the project itself: a script with a first line that names its interpreter, or a binary. */
  #projectProgram(file: string, argv: readonly CommandArgument[]): void {
    const named = this.#lookups.shebang(file);
    const base = basename(named[0] ?? "");
    if (isPython(base)) {
      // "#!" is a comment to the parser; which interpreter and options it names is not one to us.
      this.#interpreter = this.#find(named[0] ?? "");
      if (this.#interpreter === undefined) {
        this.unsettled.push({
          message: `command not found: ${named[0]} (the first line of ${argv[0]?.toString()})`,
        });
      }
      this.#flags = named.slice(1).filter((word) => /^-[IEsSP]+$/.test(word));
      this.#script(file, true);
    } else if (known.nodes.has(base)) {
      this.modules.add(file);
    } else {
      this.files.add(file);
      // Text without a first line that names an interpreter is run by the shell.
      if (named.length > 0 || isText(file)) this.#unread(file);
    }
    this.#rest(argv, 1, "unknown");
  }

  #wrapped(base: string, argv: readonly CommandArgument[], from: number): void {
    for (let i = from; i < argv.length; i++) {
      const word = argv[i];
      if (typeof word !== "string") continue;
      if (base === "env" && /^(?:-[a-zA-Z]*[SC]|--split-string|--chdir)/.test(word)) {
        this.untold.push({
          message: `env ${word}: what it starts cannot be told`,
          hint: `Write the command without it, or name what it starts: files: ["…"].`,
        });
      }
      if (word.startsWith("-")) continue;
      if (base === "env" && /^\w+=/.test(word)) {
        this.#set = { ...this.#set, [word.split("=", 1)[0] ?? ""]: word.slice(word.indexOf("=") + 1) };
        continue;
      }
      // What is no program is the value of an option: mpirun -n 4 -host a,b python train.py.
      if (this.#find(word) !== undefined) return this.#command(argv.slice(i));
    }
    this.#rest(argv, from, "unknown");
  }

  /** `uv run`, `poetry run`, `conda run -p env`, … */
  #inEnvironment(runner: string, argv: readonly CommandArgument[], from: number): void {
    const { bin, program, files, unsettled, untold } = readEnvironmentRun(runner, argv, from, this.#root);
    this.unsettled.push(...unsettled);
    this.untold.push(...untold);
    files.forEach((file) => this.files.add(file));
    this.#usesUv ||= runner === "uv";
    if (bin !== undefined) {
      this.#bin = bin;
      this.#interpreter = join(bin, "python");
    }
    const word = argv[program];
    if (word === "-m" || word === "--module")
      return this.#pythonArguments(["-m", ...argv.slice(program + 1)], 0);
    if (typeof word === "string" && word.endsWith(".py")) return this.#pythonArguments(argv, program);
    if (word !== undefined) this.#command(argv.slice(program));
  }

  #pythonArguments(argv: readonly CommandArgument[], from: number): void {
    const { target, flags, isolated, rest } = readPythonArguments(argv, from);
    this.#flags = flags;
    if (target === undefined) {
      if (!asksOnly(argv, from)) this.#unreadInput("Python");
      return;
    }
    const { kind, value } = target;
    if (kind === "module" && value === "unittest") {
      this.untold.push({
        message: "unittest looks for its tests by itself",
        hint: `Name them: files: ["…"].`,
      });
    }
    if (value === null) {
      this.untold.push({
        message: `the ${kind} that Python runs is known only when the step runs`,
        hint: `Name what it imports: files: ["…"].`,
      });
    } else if (kind === "script") this.#script(resolve(this.#root, value), true, isolated);
    else this.#start({ kind, value, direct: true, isolated });
    if (kind === "module" && value !== null && known.pythonLauncherModules.has(value))
      this.#launcher(value, argv, rest);
    else this.#rest(argv, rest, "unknown");
  }

  /** A Python script that is run. */
  #script(file: string, direct: boolean, isolated = false): void {
    const stats = statSync(file, { throwIfNoEntry: false });
    const script = stats?.isDirectory() === true ? join(file, "__main__.py") : file;
    if (!existsSync(script)) {
      this.unsettled.push({ message: `there is no script ${relative(this.#root, script)}` });
      return;
    }
    if (this.#usesUv && script.endsWith(".py")) this.#inlineMetadata(script);
    if (extname(script) === ".pyz" || extname(script) === ".zip") {
      this.files.add(script);
      return this.#unread(script);
    }
    this.#start({ kind: "script", value: script, direct, isolated });
  }

  /** `# /// script`: a comment that makes `uv run` build an environment for this script alone. */
  #inlineMetadata(script: string): void {
    if (!/^# \/\/\/ script\s*$/m.test(readFileSync(script, "utf8"))) return;
    this.files.add(script);
    if (existsSync(`${script}.lock`)) {
      this.files.add(`${script}.lock`);
      return;
    }
    this.unsettled.push({
      message: "uv chooses the versions of this script's inline requirements when it runs",
      site: { file: script, line: 1, column: 1 },
      hint: `Lock them: uv lock --script ${relative(this.#root, script)}.`,
    });
  }

  #start(request: PythonRequest, installed = false, interpreter = this.#interpreter): void {
    this.python.push({ interpreter, flags: this.#flags, set: this.#set, request, installed });
  }

  /** A program installed as a Python script (`dvc`, `pytest`): its package is what runs. */
  #installedPython(file: string): void {
    const named = this.#lookups.shebang(file);
    const base = basename(file);
    if (isPython(named[0] ?? "")) {
      const interpreter = this.#find(named[0] ?? "");
      this.#interpreter ??= interpreter;
      this.#start({ kind: "script", value: file, direct: true }, true, interpreter);
    } else if (known.pythonLaunchers.has(base) && this.#interpreter === undefined) {
      // A shim or a shell script: the Python beside it is the one that it starts.
      this.#interpreter =
        this.#lookups.program("python3", dirname(file)) ?? this.#lookups.program("python", dirname(file));
    }
  }

  #launcher(base: string, argv: readonly CommandArgument[], from: number): void {
    const isPytest = /^py\.?test$/.test(base);
    const before = this.python.length;
    if (!isPytest) {
      argv.forEach((word, i) => {
        const module = argv[i + 1];
        if (i >= from && (word === "-m" || word === "--module") && typeof module === "string") {
          this.#start({ kind: "module", value: module, direct: false });
        }
      });
    }
    this.#rest(argv, from, "runs");
    if (!isPytest) return;
    if (this.python.length === before) {
      this.untold.push({
        message: "pytest looks for its tests by itself",
        hint: "Name their folder in the command.",
      });
    }
    for (const name of ["pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg"]) {
      if (existsSync(join(this.#root, name))) this.files.add(join(this.#root, name));
    }
    for (const { request } of this.python.slice(before)) {
      for (let folder = dirname(request.value); ; folder = dirname(folder)) {
        const conftest = join(folder, "conftest.py");
        if (existsSync(conftest)) this.#start({ kind: "script", value: conftest, direct: false });
        if (!folder.startsWith(`${this.#root}/`)) break;
      }
    }
  }

  #shell(base: string, argv: readonly CommandArgument[]): void {
    let i = 1;
    for (; i < argv.length; i++) {
      const word = argv[i];
      if (typeof word !== "string" || !/^[-+]/.test(word)) break;
      if (/^-[a-z]*c[a-z]*$/.test(word)) {
        const text = argv[i + 1];
        this.#shellText(base, text);
        return this.#rest(argv, i + 2, "unknown");
      }
      if (/^[-+][a-z]*o$/.test(word)) i++;
    }
    const script = argv[i];
    if (typeof script === "string") {
      const file = resolve(this.#root, script);
      if (existsSync(file)) {
        this.files.add(file);
        this.#unread(file);
      } else this.unsettled.push({ message: `there is no script ${script}` });
    } else if (script !== undefined) {
      this.untold.push({
        message: `the script that ${base} runs comes in through a port`,
        hint: `Name what it starts: files: ["…"].`,
      });
    } else if (!asksOnly(argv, 1)) this.#unreadInput(base);
    this.#rest(argv, i + 1, "unknown");
  }

  #unreadInput(interpreter: string): void {
    this.untold.push({
      message: `what ${interpreter} reads from its input cannot be followed`,
      hint: `Name the script in the command, or what it is made of: files: ["…"].`,
    });
  }

  #shellText(base: string, text: CommandArgument | undefined): void {
    const told =
      text === null || text === undefined
        ? undefined
        : readShellText(typeof text === "string" ? [text] : text);
    if (told === undefined || told.computed !== undefined) {
      this.untold.push({
        message: `${base} -c: ${told?.computed ?? "its text"} is computed, so what it starts cannot be told`,
        hint: `Write the command without a shell, or name what it starts: files: ["…"].`,
      });
    }
    for (const { words, files } of told?.commands ?? []) {
      this.#arguments(files, "reads");
      const first = words[0];
      if (typeof first === "string" && (shellMoves.has(first) || setsSearchPath(words))) {
        this.untold.push({
          message: `${base} -c: what follows ${first} cannot be told`,
          hint: `Name what it starts: files: ["…"].`,
        });
        this.#arguments(words.slice(1), "unknown");
      } else if (typeof first === "string" && shellBuiltins.has(first)) {
        this.#arguments(words.slice(1), "reads");
      } else if (words.length > 0) this.#command(words);
    }
  }

  #node(argv: readonly CommandArgument[]): void {
    const isFile = (name: string): boolean =>
      statSync(resolve(this.#root, name), { throwIfNoEntry: false })?.isFile() === true;
    const start = readNodeArguments(argv, isFile);
    if (start.type === "module") this.modules.add(resolve(this.#root, start.name));
    else if (start.type === "untold") this.untold.push({ message: start.message, hint: start.hint });
    else if (start.type === "nothing" && !asksOnly(argv, 1)) this.#unreadInput("node");
    this.#rest(argv, 1, "unknown");
  }

  #otherInterpreter(base: string, argv: readonly CommandArgument[]): void {
    const script = argv.slice(1).find((word) => typeof word !== "string" || !word.startsWith("-"));
    const file = typeof script === "string" ? resolve(this.#root, script) : undefined;
    if (file !== undefined && statSync(file, { throwIfNoEntry: false })?.isFile() === true) {
      this.files.add(file);
      this.#unread(file);
    } else {
      this.untold.push({
        message: `what ${base} runs cannot be followed`,
        hint: `Name its scripts: files: ["…"].`,
      });
    }
    this.#rest(argv, 1, "unknown");
  }

  #unread(file: string): void {
    const name = relative(this.#root, file);
    if (this.untold.some((finding) => finding.site?.file === file)) return;
    this.untold.push({
      message: `${name} is a script in a language whose imports are not followed`,
      site: { file, line: 1, column: 1 },
      hint: `If that is all there is to it: files: [${JSON.stringify(name)}]; name what else it starts beside it.`,
    });
  }

  #rest(argv: readonly CommandArgument[], from: number, role: Role): void {
    this.#arguments(argv.slice(from), role);
  }

  /** What of the project the arguments name. */
  #arguments(words: readonly CommandArgument[], role: Role): void {
    for (const word of words) {
      for (const named of typeof word === "string" ? this.#lookups.named(word) : []) {
        if (relative(named.path, this.#root) === "" || isInside(this.#root, named.path))
          this.#everything(named.text);
        else if (!named.isInProject) this.#outside(named.text);
        else if (named.type === "file") this.#file(named.path, role);
        else this.#folder(named.path, role);
      }
    }
  }

  #file(file: string, role: Role): void {
    const extension = extname(file).toLowerCase();
    if (role === "reads") {
      this.files.add(file);
    } else if (extension === ".py") {
      // A program that is not known to run scripts may read this one, comments and all.
      if (role === "unknown") this.files.add(file);
      this.#script(file, false);
    } else if (known.moduleExtensions.has(extension)) {
      this.files.add(file);
      this.modules.add(file);
    } else {
      this.files.add(file);
      if (known.scriptExtensions.has(extension)) this.#unread(file);
    }
  }

  #outside(text: string): void {
    this.warnings.push({
      message: `${text} lies outside of the project and is not part of the key`,
      hint: "Make it an input: source(path, kind).",
    });
  }

  #everything(text: string): void {
    this.untold.push({
      message: `the command is given the folder ${text}, which holds the whole project`,
      hint: `Name what it reads: files: ["…"].`,
    });
  }

  #folder(folder: string, role: Role): void {
    if (isInside(folder, join(this.#root, ".mlpipe"))) return;
    for (const file of filesOfGlob(folder, this.#root)) {
      if (role === "runs" && file.endsWith(".py")) this.#script(file, false);
      else this.files.add(file);
    }
  }
}

const shellBuiltins = new Set(
  "set export unset exit test [ read shift ulimit umask wait : true false echo printf".split(" "),
);

/** After these a shell does what its words alone do not say. */
const shellMoves = new Set(". source eval cd pushd popd trap alias".split(" "));

/** Whether an `export` decides where programs and modules are looked for. */
function setsSearchPath([first, ...words]: readonly (string | null)[]): boolean {
  const isExport = first === "export" || first === "declare" || first === "typeset";
  return (
    isExport &&
    words.some((word) => word === null || /^(?:\w*PATH|PYTHON\w*|NODE_\w*|VIRTUAL_ENV)=/.test(word))
  );
}

/** Whether an interpreter is only asked which it is. */
function asksOnly(argv: readonly CommandArgument[], from: number): boolean {
  return argv
    .slice(from)
    .some((word) => typeof word === "string" && /^(?:-[vVh]+|--version|--help)$/.test(word));
}

/** Pieces without a port among them are plain text. */
function joined(argument: CommandArgument): CommandArgument {
  return argument !== null && typeof argument !== "string" && !argument.includes(null)
    ? argument.join("")
    : argument;
}

/** Whether a path is a folder or lies below it. */
function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? folder : `${folder}/`);
}
