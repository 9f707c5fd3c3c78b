/**
 * The portable key of a step: what of its identity is committed or declared, and none of what belongs to a machine. It
 * is the same on a laptop and in CI, and it is local: inputs from other steps enter by name and not by content, so that
 * an edit changes the keys of those steps alone that it is an edit of.
 */
import { isAbsolute, relative, resolve, sep } from "node:path";
import type { Binding, ManifestStep } from "@mlpipe/dsl";
import { canonicalJson, type Content, type Digest, digestOf, digestOfJson } from "@mlpipe/store";
import type { EnvironmentDocument } from "./environment/environment.ts";
import type { StepIdentity } from "./identity.ts";
import { keyFormat } from "./preimage.ts";

/** A portable key with the parts that a reader can tell apart. */
export interface PortableIdentity {
  readonly key: Digest;
  readonly code: Digest;
  readonly packages: Digest;
  /** Inputs that do not come from steps: a short value as JSON, everything else as the beginning of its digest. */
  readonly given: Readonly<Record<string, string>>;
}

/** What finds out the content of sources. */
export interface PortableQuestion {
  /** Absolute path of the project's root. */
  readonly root: string;
  /** The content of a file or folder; nothing where there is none. */
  contentOf(path: string): Content | undefined;
}

/** Longer values are named by their digests. */
const shownValue = 60;

/** The part of a portable key that all calls of a definition share. */
interface PortableDefinition {
  readonly code: Digest;
  readonly packages: Digest;
  readonly variables: Readonly<Record<string, unknown>>;
}

type Identity = Pick<StepIdentity, "code" | "contract" | "packages" | "environment">;

/** Finds out portable keys, remembering what is the same for all calls of a definition. */
export class PortableIdentities {
  readonly #question: PortableQuestion;
  readonly #definitions = new Map<Identity, PortableDefinition>();

  constructor(question: PortableQuestion) {
    this.#question = question;
  }

  /** The portable key of a step whose children, if any, are known. */
  of(step: ManifestStep, identity: Identity): PortableIdentity {
    const { code, packages, variables } = this.#definitionOf(identity);
    const inputs: Record<string, unknown> = {};
    const given: Record<string, string> = {};
    for (const [port, { from }] of Object.entries(step.inputs)) {
      inputs[port] = portableInput(from, this.#question);
      const shown = shownInput(from, inputs[port]);
      if (shown !== undefined) given[port] = shown;
    }
    const contract = identity.contract.digest;
    const key = digestOfJson({ code, contract, format: keyFormat, inputs, packages, variables });
    return { key, code, packages, given };
  }

  #definitionOf(identity: Identity): PortableDefinition {
    let definition = this.#definitions.get(identity);
    if (definition === undefined) {
      definition = portableDefinition(identity, this.#question.root);
      this.#definitions.set(identity, definition);
    }
    return definition;
  }
}

function portableDefinition(identity: Identity, root: string): PortableDefinition {
  const { parts, ...code } = identity.code.document;
  const places = Object.entries(parts).map(([name, digest]) => [portableName(root, name), digest]);
  // `part` has made it of what `environmentOf` gave.
  const { conditions, variables } = identity.environment.document as EnvironmentDocument;
  return {
    code: digestOfJson({
      ...code,
      // They choose which code of a package is loaded.
      ...(conditions !== undefined && { conditions }),
      step: portableName(root, code.step),
      parts: Object.fromEntries(places),
    }),
    packages: digestOfJson(portablePackages(identity.packages.document)),
    // What a step declares is no accident of a machine. Whether a secret is set is.
    variables: Object.fromEntries(
      Object.entries(variables).map(([name, variable]) => [name, "secret" in variable ? "secret" : variable]),
    ),
  };
}

/** An environment in a few words: `linux x64, node 26, CPython 3.11.2, gcc 1f2e3d4c`. */
export function environmentWords(identities: Iterable<Pick<StepIdentity, "environment">>): string {
  const words = new Set<string>();
  const programs = new Set<string>();
  // Calls of one definition share it.
  for (const { environment } of new Set(identities)) {
    // As above.
    const { platform, arch, node, python, tools = {} } = environment.document as EnvironmentDocument;
    words.add(`${platform} ${arch}`);
    if (node !== undefined && node !== "") words.add(`node ${node}`);
    if (python !== undefined) words.add(`${python.implementation} ${python.version}`);
    for (const [name, digest] of Object.entries(tools)) programs.add(`${name} ${digest.slice(0, 8)}`);
  }
  const [first = `${process.platform} ${process.arch}`, ...rest] = [...words];
  return [first, ...rest.toSorted(), ...[...programs].toSorted()].join(", ");
}

/** A name of code (`features.ts#lag`) relative to the root, wherever the project lies. */
function portableName(root: string, name: string): string {
  const [path = "", ...rest] = name.split("#");
  if (!isAbsolute(path)) return name;
  return [relative(root, path).split(sep).join("/"), ...rest].join("#");
}

/** Packages that exist for one platform alone, by how they are called. */
const ofOnePlatform =
  /(?:^fsevents$)|(?:[-/.](?:linux|darwin|win32|freebsd|openbsd|android|sunos|aix|wasm32|wasi)(?:[-/.]|$))/;

/** Names and versions. What exactly was unpacked differs from platform to platform. */
function portablePackages(packages: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(packages)
      .filter(([name]) => !ofOnePlatform.test(name))
      .map(([name, identity]) => [name, identity.replaceAll(/\+[0-9a-f]{16}(?=,|$)/g, "")]),
  );
}

function portableInput(from: Binding, question: PortableQuestion): unknown {
  switch (from.type) {
    case "step":
      return { step: from.step, port: from.port };
    case "value":
      return { value: digestOfJson(from.value) };
    case "source": {
      const content = question.contentOf(resolve(question.root, from.path));
      return content === undefined ? { absent: true } : { [content.type]: content.digest };
    }
    case "many":
      return from.items.map(({ key, from: item }) => [key, portableInput(item, question)]);
    default:
      return from;
  }
}

function shownInput(from: Binding, portable: unknown): string | undefined {
  if (from.type === "step" || from.type === "absent") return undefined;
  if (from.type === "value") {
    const text = canonicalJson(from.value);
    return text.length <= shownValue ? text : digestOf(text).slice(0, 16);
  }
  if (from.type === "source") {
    const [digest = ""] = Object.values(portable as Readonly<Record<string, unknown>>);
    return typeof digest === "string" ? digest.slice(0, 16) : "absent";
  }
  if (from.type === "many") {
    const steps = from.items.every(({ from: item }) => item.type === "step");
    return steps ? `${from.items.length} items` : digestOfJson(portable).slice(0, 16);
  }
  return digestOfJson(portable).slice(0, 16);
}
