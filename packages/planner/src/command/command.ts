/**
 * Code identity of commands: what a program, its scripts and the files among its arguments are.
 * Sound first: what cannot be followed is said, and the result is not kept, unless the step names
 * its files.
 */
import type { Site } from "@mlpipe/dsl";
import type { Digest } from "@mlpipe/store";
import { conditionsOf } from "../code/conditions.ts";
import { plumbingOf } from "../environment/environment.ts";
import type { CodeIdentity, Finding } from "./findings.ts";
import { filesOfGlob, partName } from "./globs.ts";
import { type CommandArgument, LaunchReader, type PythonStart } from "./launch.ts";
import { Lookups } from "./lookups.ts";
import {
  askPython,
  type Interpreter,
  type PythonAnswer,
  type PythonClosure,
  type PythonIdentity,
  type PythonRemark,
  type PythonRequest,
} from "./python.ts";
import type { PythonMemory } from "./python-memory.ts";
import { toolIdentity, type ToolIdentity } from "./tool.ts";

/** What a command is, apart from its inputs. */
export interface CommandIdentity extends CodeIdentity {
  /** The program that the command names first; null for one of the project, and for Python. */
  readonly tool: ToolIdentity | null;
  /** Every program outside of the project that the command names, by name: `timeout` and what it starts. */
  readonly tools: Readonly<Record<string, ToolIdentity>>;
  /** The Python that runs the command's scripts, if one does. */
  readonly python: PythonIdentity | null;
  /** Absolute paths of the JavaScript and TypeScript modules that are run, whose whole closure is code too. */
  readonly typescript: readonly string[];
  /** Conditions that Node is given with them: by the command, or by a `NODE_OPTIONS` that the step declares. */
  readonly conditions: readonly string[];
  /** The folders that the Python packages are installed in. */
  readonly sites: readonly string[];
  /** Real folders of the npm packages that programs of the command belong to. */
  readonly packageFolders: readonly string[];
  /** Absolute paths of the programs and interpreters that are started, links unresolved. */
  readonly programs: readonly string[];
  /** Those of them that are Pythons. */
  readonly pythons: readonly string[];
}

/** One command to identify. */
export interface CommandQuestion {
  /** Empty where only `files` are asked for. */
  readonly argv: readonly CommandArgument[];
  /** Globs of the files that the code is made of, from the project's root. */
  readonly files?: readonly string[];
  /** The environment that the command will see; default: what every step sees. */
  readonly env?: Readonly<Record<string, string>>;
}

/** An interpreter's answers about scripts, as plain data. */
export interface PythonSession {
  readonly interpreter: Interpreter;
  readonly requests: readonly PythonRequest[];
  readonly answer: PythonAnswer;
}

type Known =
  | { readonly python: PythonIdentity; readonly closure: PythonClosure }
  | { readonly failure: string };

/**
 * Identifies commands. One instance is one planning session: what it has once read of a script it
 * takes to be so until the session ends.
 */
export class CommandCode {
  readonly #root: string;
  readonly #hash: (path: string) => Digest;
  readonly #env: Readonly<Record<string, string>>;
  readonly #known = new Map<string, Known>();
  readonly #sessions: PythonSession[] = [];
  readonly #lookups: Lookups;
  readonly #tools = new Map<string, ToolIdentity>();
  readonly #memory: PythonMemory | undefined;

  /**
   * @param options.projectRoot absolute path; commands run there
   * @param options.hash the digest of a file's content
   * @param options.env what a step sees that declares nothing; default: by `process.env`
   * @param options.memory keeps what interpreters answered from one session to the next; default: nothing does
   */
  constructor(options: {
    readonly projectRoot: string;
    readonly hash: (path: string) => Digest;
    readonly env?: Readonly<Record<string, string>>;
    readonly memory?: PythonMemory;
  }) {
    this.#root = options.projectRoot;
    this.#memory = options.memory;
    this.#hash = options.hash;
    this.#lookups = new Lookups(options.projectRoot);
    this.#env = options.env ?? plumbingOf(process.env);
  }

  /** The identity of one command. Many at once are cheaper: see {@link identifyAll}. */
  identify(argv: readonly CommandArgument[], options: Omit<CommandQuestion, "argv"> = {}): CommandIdentity {
    const question = { ...options, argv };
    const launch = this.#read(question);
    this.#prepare([question], [launch]);
    return this.#answer(question, launch);
  }

  /** The identities of many commands, with one process for each Python that they use. */
  identifyAll(questions: readonly CommandQuestion[]): readonly CommandIdentity[] {
    const launches = questions.map((question) => this.#read(question));
    this.#prepare(questions, launches);
    return questions.map((question, index) =>
      this.#answer(question, launches[index] ?? this.#read(question)),
    );
  }

  /** Reads the Python scripts of many commands at once, so that to identify each is cheap afterwards. */
  prepare(questions: readonly CommandQuestion[]): void {
    this.#prepare(
      questions,
      questions.map((question) => this.#read(question)),
    );
  }

  #prepare(questions: readonly CommandQuestion[], launches: readonly LaunchReader[]): void {
    const waiting = new Map<string, { interpreter: Interpreter; requests: Map<string, PythonRequest> }>();
    questions.forEach((question, index) => {
      for (const start of launches[index]?.python ?? []) {
        const interpreter = this.#interpreterOf(start, question);
        if (interpreter === undefined) continue;
        const group = groupOf(interpreter);
        const key = requestKey(group, start.request);
        if (this.#known.has(key)) continue;
        const entry = waiting.get(group) ?? { interpreter, requests: new Map<string, PythonRequest>() };
        entry.requests.set(key, start.request);
        waiting.set(group, entry);
      }
    });
    for (const { interpreter, requests } of waiting.values()) this.#ask(interpreter, requests);
  }

  /** What interpreters have answered in this session, with all the files and folders it depends on. */
  get sessions(): readonly PythonSession[] {
    return this.#sessions;
  }

  #read(question: CommandQuestion): LaunchReader {
    const argv = question.argv.length === 0 ? [null] : question.argv;
    return new LaunchReader(this.#root, this.#envOf(question)["PATH"], argv, this.#lookups);
  }

  #envOf(question: CommandQuestion): Readonly<Record<string, string>> {
    return question.env ?? this.#env;
  }

  #interpreterOf(start: PythonStart, question: CommandQuestion): Interpreter | undefined {
    const env = { ...this.#envOf(question), ...start.set };
    const path =
      start.interpreter ??
      this.#lookups.program("python3", env["PATH"]) ??
      this.#lookups.program("python", env["PATH"]);
    return path === undefined ? undefined : { path, flags: start.flags, env };
  }

  #ask(interpreter: Interpreter, requests: ReadonlyMap<string, PythonRequest>): void {
    const asked = [...requests.values()];
    const ask = (): PythonAnswer | string => askPython(interpreter, this.#root, asked);
    const answer = this.#memory?.answer(interpreter, this.#root, asked, ask) ?? ask();
    if (typeof answer !== "string") this.#sessions.push({ interpreter, requests: asked, answer });
    [...requests.keys()].forEach((key, index) => {
      const closure = typeof answer === "string" ? undefined : answer.results[index];
      if (typeof answer === "string") this.#known.set(key, { failure: answer });
      else if (closure === undefined) throw new Error("The Python program did not answer every question.");
      else
        this.#known.set(key, {
          python: { implementation: answer.implementation, version: answer.version },
          closure,
        });
    });
  }

  #answer(question: CommandQuestion, launch: LaunchReader): CommandIdentity {
    const parts: Record<string, Digest> = {};
    const packages: Record<string, string> = {};
    const tools: Record<string, ToolIdentity> = {};
    const untold = [...launch.untold];
    const unsettled = [...launch.unsettled];
    const warnings = [...launch.warnings];
    const pythons = new Set<string>();
    const sites = new Set<string>();
    let python: PythonIdentity | null = null;

    for (const [name, file] of launch.programs) {
      try {
        tools[name] = this.#toolOf(name, file);
      } catch (error) {
        // Some programs may be executed and not read.
        const why = error instanceof Error ? error.message : String(error);
        unsettled.push({ message: `the program ${file} cannot be identified: ${why}` });
      }
    }
    // The scripts of the project come first: theirs is the Python that the step is said to run with.
    const starts = launch.python.toSorted((a, b) => Number(a.installed) - Number(b.installed));
    for (const start of starts) {
      const interpreter = this.#interpreterOf(start, question);
      if (interpreter !== undefined) pythons.add(interpreter.path);
      const known = interpreter && this.#known.get(requestKey(groupOf(interpreter), start.request));
      if (known === undefined) {
        unsettled.push({
          message: `there is no Python to read ${start.request.value} with`,
          hint: "Put python3 on PATH.",
        });
        continue;
      }
      if ("failure" in known) {
        unsettled.push({ message: known.failure });
        continue;
      }
      python ??= known.python;
      if (known.python.version !== python.version || known.python.implementation !== python.implementation) {
        packages[`${start.request.value}>python`] = `${known.python.implementation} ${known.python.version}`;
      }
      for (const site of known.closure.sites) sites.add(site);
      this.#unite(start, known.closure, { parts, packages, tools, untold, warnings });
    }
    // Bytes are more than syntax: a script that is also read as a file counts as one.
    for (const file of launch.files) parts[partName(file, this.#root)] = this.#hash(file);
    for (const glob of question.files ?? []) {
      const files = filesOfGlob(glob, this.#root);
      if (files.length === 0) {
        warnings.push({
          message: `files: ${JSON.stringify(glob)} matches nothing`,
          hint: "Globs start at the project's root.",
        });
      }
      for (const file of files) parts[partName(file, this.#root)] = this.#hash(file);
    }

    const [first] = question.argv;
    const name = typeof first === "string" ? first : (first?.join("") ?? "");
    const isNamed = question.files !== undefined && question.files.length > 0;
    return {
      parts,
      packages,
      uncacheable: distinct(isNamed ? unsettled : [...unsettled, ...untold]),
      warnings: distinct(warnings),
      tool: tools[name] ?? null,
      tools,
      python,
      typescript: [...launch.modules],
      conditions: [...new Set([...launch.conditions, ...conditionsOf(this.#envOf(question))])].toSorted(),
      sites: [...sites],
      packageFolders: [
        ...new Set([...launch.programs.values()].flatMap((file) => this.#lookups.packageOf(file) ?? [])),
      ],
      programs: [...new Set([...launch.programs.values(), ...pythons])],
      pythons: [...pythons],
    };
  }

  #toolOf(name: string, file: string): ToolIdentity {
    const key = `${name}\0${file}`;
    const tool = this.#tools.get(key) ?? toolIdentity(name, file, this.#hash);
    this.#tools.set(key, tool);
    return tool;
  }

  #unite(
    { request, installed }: PythonStart,
    closure: PythonClosure,
    into: {
      readonly parts: Record<string, Digest>;
      readonly packages: Record<string, string>;
      readonly tools: Record<string, ToolIdentity>;
      readonly untold: Finding[];
      readonly warnings: Finding[];
    },
  ): void {
    const own = installed ? partName(request.value, this.#root) : undefined;
    for (const [name, hex] of Object.entries(closure.parts)) {
      // Python made it with hashlib.sha256(…).hexdigest().
      const digest = hex as Digest;
      if (name !== own) into.parts[name] = digest;
      else {
        // Its first line holds the path of its environment: the same program elsewhere is the same tool.
        for (const tool of Object.values(into.tools)) {
          if (findProgramName(request.value) === findProgramName(tool.name))
            into.tools[tool.name] = { ...tool, digest };
        }
      }
    }
    for (const [name, path] of closure.binaries) into.parts[name] = this.#hash(path);
    Object.assign(into.packages, closure.packages);
    const isOwn = (remark: PythonRemark): boolean => installed && remark.file === request.value;
    into.untold.push(...closure.uncacheable.filter((remark) => !isOwn(remark)).map(untoldOf));
    into.warnings.push(...closure.warnings.filter((remark) => !isOwn(remark)).map(findingOf));
  }
}

function findProgramName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Interpreters that find the same modules: other variables do not decide what an import leads to. */
function groupOf({ path, flags, env }: Interpreter): string {
  const relevant = Object.entries(env).filter(([name]) =>
    /^(?:PYTHON|PATH$|HOME$|VIRTUAL_ENV$|CONDA_PREFIX$|PYENV_)/.test(name),
  );
  return JSON.stringify([path, flags, relevant.toSorted(([a], [b]) => (a < b ? -1 : 1))]);
}

function requestKey(group: string, request: PythonRequest): string {
  return `${group}\n${request.kind}\n${request.direct}\n${request.isolated ?? false}\n${request.value}`;
}

function siteOf({ file, line, column }: PythonRemark): Site | undefined {
  return file === null ? undefined : { file, line, column };
}

function findingOf(remark: PythonRemark): Finding {
  const site = siteOf(remark);
  return { message: remark.message, ...(site !== undefined && { site }) };
}

function untoldOf(remark: PythonRemark): Finding {
  return { ...findingOf(remark), hint: `Name what it loads: files: ["…"].` };
}

function distinct(findings: readonly Finding[]): readonly Finding[] {
  return [...new Map(findings.map((finding) => [JSON.stringify(finding), finding])).values()];
}
