/**
 * The steps of a run: those of the manifest, and in the place of each fan-out its children as soon as
 * its list is known. A fan-out expands once, in time linear in its children.
 */
import {
  anyItem,
  type Binding,
  fieldOf,
  keyByFields,
  type KeyFunction,
  keyItems,
  type Manifest,
  type ManifestFanOut,
  type ManifestStep,
  MlpipeError,
  type OutputName,
} from "@mlpipe/dsl";
import { canonicalJson, StoreError } from "@mlpipe/store";

/** The id of a step, or a fan-out with what stands in its place: its body, and later its children. */
type Node = string | Group;

interface Group {
  readonly fanOut: ManifestFanOut;
  nodes: readonly Node[];
  expanded: boolean;
}

/** What an expansion changed. */
export interface Expansion {
  readonly fanOut: string;
  /** The ids of the steps that stood for all items. */
  readonly templates: readonly string[];
  /** The steps of the children; those of a fan-out inside still stand for all of its items. */
  readonly steps: readonly ManifestStep[];
  /** The fan-outs inside, one for each child. */
  readonly fanOuts: readonly ManifestFanOut[];
  /** The steps that take what the children give. */
  readonly joins: readonly string[];
}

export class StepGraph {
  readonly #manifest: Manifest;
  readonly #keyFunctions: ReadonlyMap<string, KeyFunction>;
  readonly #nodes: readonly Node[];
  readonly #steps = new Map<string, ManifestStep>();
  readonly #groups = new Map<string, Group>();
  /** By fan-out, the steps that take what its children give. */
  readonly #joins = new Map<string, Set<string>>();
  #outputs: Manifest["outputs"];
  #list: readonly ManifestStep[] | undefined;

  /** @param keyFunctions by fan-out, for those whose keys a function of the pipeline makes */
  constructor(manifest: Manifest, keyFunctions: ReadonlyMap<string, KeyFunction>) {
    this.#manifest = manifest;
    this.#keyFunctions = keyFunctions;
    this.#outputs = manifest.outputs;
    const { fanOuts = [] } = manifest;
    // Without a fan-out, as most pipelines are, the graph is the manifest.
    for (const step of manifest.steps) this.#steps.set(step.id, step);
    this.#nodes = fanOuts.length === 0 ? [...this.#steps.keys()] : nested(manifest.steps, fanOuts);
    if (fanOuts.length === 0) this.#list = manifest.steps;
    else for (const step of manifest.steps) this.#noteJoins(step);
    this.#noteGroups(this.#nodes);
  }

  /** The steps as far as they are known, every one after those it takes refs from. */
  get steps(): readonly ManifestStep[] {
    return (this.#list ??= this.#stepsIn(this.#nodes));
  }

  /** The manifest as far as it is known. */
  get manifest(): Manifest {
    const { fanOuts, ...manifest } = this.#manifest;
    if (fanOuts === undefined) return manifest;
    const left = this.#unexpanded().map(({ fanOut }) => fanOut);
    return {
      ...manifest,
      steps: [...this.steps],
      ...(left.length > 0 && { fanOuts: left }),
      outputs: this.#outputs,
    };
  }

  step(id: string): ManifestStep | undefined {
    return this.#steps.get(id);
  }

  /** The fan-outs that have to expand before it is known what a step takes. */
  fanOutsOf(step: ManifestStep): readonly string[] {
    if (this.#groups.size === 0) return [];
    const joined = Object.values(step.inputs).flatMap(({ from }) => [...joinsIn(from)]);
    return [...new Set(joined)].filter((id) => this.#groups.get(id)?.expanded === false);
  }

  /** Visits what can be looked at one by one: steps that stand for themselves, and fan-outs that no other is around. */
  *nodes(): Generator<
    | { readonly step: ManifestStep }
    | { readonly fanOut: ManifestFanOut; readonly templates: readonly ManifestStep[] }
  > {
    // What stands in a fan-out's place may change while somebody looks at it, so it is looked up when its turn comes.
    const stack: Node[] = this.#nodes.toReversed();
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (typeof node === "string") {
        yield { step: this.#stepOf(node) };
        continue;
      }
      if (!node.expanded) yield { fanOut: node.fanOut, templates: this.#stepsIn(node.nodes) };
      // Whoever looks may have expanded it.
      if (node.expanded) for (const inner of node.nodes.toReversed()) stack.push(inner);
    }
  }

  /** The steps that stand for all items of a fan-out. */
  templatesOf(fanOut: string): readonly ManifestStep[] {
    return this.#stepsIn(this.#group(fanOut).nodes);
  }

  fanOut(id: string): ManifestFanOut | undefined {
    return this.#groups.get(id)?.fanOut;
  }

  /**
   * Puts the children of a fan-out in its place.
   * @param items of its list
   * @throws MlpipeError MLP1001, MLP1012, MLP1013 for items that cannot have their steps; then nothing has changed
   */
  expand(id: string, items: readonly unknown[]): Expansion {
    const group = this.#group(id);
    const { fanOut } = group;
    const keyed = keyItems(items, this.#keyMaker(fanOut), undefined);
    const own: Inside = {
      steps: new Set(flat(group.nodes)),
      fanOuts: new Set([...groupsIn(group.nodes)].map((inner) => inner.fanOut.id)),
    };
    const steps: ManifestStep[] = [];
    const children = [...keyed].flatMap(([key, item]) => {
      const child = new Child(id, key, item, own);
      steps.push(...Array.from(own.steps, (template) => child.step(this.#stepOf(template))));
      return group.nodes.map((node) => child.node(node));
    });

    // All that may refuse an item comes before anything changes.
    const join = (binding: Binding): Binding => joinedAs(binding, id, keyed, own);
    const joins = [...(this.#joins.get(id) ?? [])].flatMap((joining) => {
      const step = this.#steps.get(joining);
      return step === undefined ? [] : [{ ...step, inputs: mapInputs(step.inputs, join) }];
    });
    const outputs = mapInputs(this.#outputs, join);

    for (const template of own.steps) this.#steps.delete(template);
    for (const { fanOut: inner } of groupsIn(group.nodes)) this.#groups.delete(inner.id);
    group.nodes = children;
    group.expanded = true;
    this.#list = undefined;
    this.#outputs = outputs;
    this.#noteGroups(children);
    for (const step of [...steps, ...joins]) {
      this.#steps.set(step.id, step);
      // What each child joins itself is joined in turn.
      this.#noteJoins(step);
    }
    const fanOuts = [...groupsIn(children)].map((inner) => inner.fanOut);
    return { fanOut: id, templates: [...own.steps], steps, fanOuts, joins: joins.map((step) => step.id) };
  }

  #keyMaker({ id, keyFields }: ManifestFanOut): (item: unknown) => unknown {
    if (keyFields !== undefined) return (item) => keyByFields(item, keyFields);
    // One of a child of a fan-out is that of the body: `each(a.list)[x]` of `each(a.list)[*]`.
    const make = this.#keyFunctions.get(id) ?? this.#keyFunctions.get(id.replaceAll(/\[[^\]]*\]/g, anyItem));
    if (make === undefined) throw new Error(`${id} has no function that makes its keys`);
    return (item) => {
      try {
        return make(item);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        throw new MlpipeError(
          "MLP1013",
          `The function that makes keys failed with the item ${shown(item)}: ${why}.`,
          {
            cause: error,
          },
        );
      }
    };
  }

  #stepsIn(nodes: readonly Node[]): readonly ManifestStep[] {
    return Array.from(flat(nodes), (id) => this.#stepOf(id));
  }

  #stepOf(id: string): ManifestStep {
    const step = this.#steps.get(id);
    if (step === undefined) throw new Error(`there is no step ${id}`);
    return step;
  }

  #group(id: string): Group {
    const group = this.#groups.get(id);
    if (group === undefined) throw new Error(`there is no fan-out ${id}`);
    return group;
  }

  #unexpanded(): readonly Group[] {
    return [...this.#groups.values()].filter(({ expanded }) => !expanded);
  }

  #noteGroups(nodes: readonly Node[]): void {
    for (const group of groupsIn(nodes)) this.#groups.set(group.fanOut.id, group);
  }

  #noteJoins(step: ManifestStep): void {
    for (const { from } of Object.values(step.inputs)) {
      for (const fanOut of joinsIn(from)) {
        const joins = this.#joins.get(fanOut);
        if (joins === undefined) this.#joins.set(fanOut, new Set([step.id]));
        else joins.add(step.id);
      }
    }
  }
}

/** What belongs to the body of a fan-out: what is in it becomes the child's own, everything else is shared. */
interface Inside {
  readonly steps: ReadonlySet<string>;
  readonly fanOuts: ReadonlySet<string>;
}

/** Makes of the body of a fan-out what it is for one item. */
class Child {
  readonly #fanOut: string;
  readonly #key: string;
  readonly #item: unknown;
  readonly #inside: Inside;

  constructor(fanOut: string, key: string, item: unknown, inside: Inside) {
    this.#fanOut = fanOut;
    this.#key = key;
    this.#item = item;
    this.#inside = inside;
  }

  node(node: Node): Node {
    if (typeof node === "string") return this.#named(node);
    const { fanOut, nodes } = node;
    return {
      fanOut: {
        ...fanOut,
        id: this.#named(fanOut.id),
        list: this.binding(fanOut.list),
        within: fanOut.within.filter((each) => each !== this.#fanOut),
      },
      nodes: nodes.map((inner) => this.node(inner)),
      expanded: false,
    };
  }

  step(step: ManifestStep): ManifestStep {
    const { each = [], ...rest } = step;
    const left = each.filter((id) => id !== this.#fanOut).map((id) => this.#named(id));
    return {
      ...rest,
      id: this.#named(step.id),
      ...(left.length > 0 && { each: left }),
      template: step.template ?? step.id,
      inputs: mapInputs(step.inputs, (binding) => this.binding(binding)),
    };
  }

  binding(binding: Binding): Binding {
    switch (binding.type) {
      case "step":
        return this.#inside.steps.has(binding.step)
          ? { ...binding, step: this.#named(binding.step) }
          : binding;
      case "item": {
        const from = this.#output(binding.from);
        if (binding.each !== this.#fanOut) {
          return this.#inside.fanOuts.has(binding.each)
            ? { ...binding, each: this.#named(binding.each), ...(from !== undefined && { from }) }
            : binding;
        }
        const value = this.#valueAt(binding.path);
        return { type: "value", value, ...(from !== undefined && { from }) };
      }
      case "joined":
        return this.#inside.fanOuts.has(binding.each)
          ? { ...binding, each: this.#named(binding.each), from: this.binding(binding.from) }
          : binding;
      case "many":
        return {
          ...binding,
          items: binding.items.map(({ key, from }) => ({ key, from: this.binding(from) })),
        };
      default:
        return binding;
    }
  }

  #output(name: OutputName | undefined): OutputName | undefined {
    return name !== undefined && this.#inside.steps.has(name.step)
      ? { ...name, step: this.#named(name.step) }
      : name;
  }

  /** Fan-outs expand from the outside, so the first that is open is the one at hand. */
  #named(id: string): string {
    return id.replace(anyItem, () => `[${this.#key}]`);
  }

  #valueAt(path: readonly string[]): unknown {
    let value = this.#item;
    for (const [index, name] of path.entries()) {
      const inner = typeof value === "object" && value !== null ? fieldOf(value, name) : undefined;
      if (inner === undefined) {
        throw new MlpipeError(
          "MLP1013",
          `The item ${this.#key} has no field ${path.slice(0, index + 1).join(".")}: it is ${shown(this.#item)}.`,
          {
            hint: "The step that makes the list gives every item the fields that the body of each asks for.",
          },
        );
      }
      value = inner;
    }
    this.#checkJson(value, path);
    return value;
  }

  /** JSON can be read of what it cannot hold: `1e999` is infinite. */
  #checkJson(value: unknown, path: readonly string[]): void {
    try {
      canonicalJson(value);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const what =
        path.length === 0 ? `The item ${this.#key}` : `The ${path.join(".")} of the item ${this.#key}`;
      throw new MlpipeError("MLP1013", `${what} can be no input: ${error.message}.`, { cause: error });
    }
  }
}

/** What took a fan-out's children before they were known, with the children. */
function joinedAs(
  binding: Binding,
  fanOut: string,
  items: ReadonlyMap<string, unknown>,
  inside: Inside,
): Binding {
  if (binding.type === "many") {
    return {
      ...binding,
      items: binding.items.map(({ key, from }) => ({ key, from: joinedAs(from, fanOut, items, inside) })),
    };
  }
  if (binding.type !== "joined") return binding;
  if (binding.each !== fanOut) return { ...binding, from: joinedAs(binding.from, fanOut, items, inside) };
  const children = Array.from(items, ([key, item]) => ({
    key,
    from: new Child(fanOut, key, item, inside).binding(binding.from),
  }));
  // The order of `many` everywhere: by the code units of the keys.
  return { type: "many", items: children.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)) };
}

/** The fan-outs whose children a binding joins, those inside of them aside. */
function* joinsIn(binding: Binding): Generator<string> {
  if (binding.type === "joined") yield binding.each;
  else if (binding.type === "many") for (const { from } of binding.items) yield* joinsIn(from);
}

function mapInputs<Input extends { readonly from: Binding }>(
  inputs: Readonly<Record<string, Input>>,
  map: (binding: Binding) => Binding,
): Record<string, Input> {
  return Object.fromEntries(
    Object.entries(inputs).map(([port, input]) => [port, { ...input, from: map(input.from) }]),
  );
}

/** The body of a fan-out is wired in one go, so its steps stand together. */
function nested(steps: readonly ManifestStep[], fanOuts: readonly ManifestFanOut[]): readonly Node[] {
  const root: Node[] = [];
  const bodies = new Map<string, Node[]>();
  // In wiring order an outer one comes before those inside, but what stands in a body comes with the first step.
  const open = (id: string): Node[] => {
    const known = bodies.get(id);
    if (known !== undefined) return known;
    const fanOut = fanOuts.find((each) => each.id === id);
    if (fanOut === undefined) throw new Error(`the manifest has no fan-out ${id}`);
    const nodes: Node[] = [];
    bodies.set(id, nodes);
    const outer = fanOut.within.at(-1);
    (outer === undefined ? root : open(outer)).push({ fanOut, nodes, expanded: false });
    return nodes;
  };
  for (const step of steps) {
    const inner = step.each?.at(-1);
    (inner === undefined ? root : open(inner)).push(step.id);
  }
  // One whose body calls no step is there all the same: what it gives are items.
  for (const { id } of fanOuts) open(id);
  return root;
}

/** The ids of the steps. */
function* flat(nodes: readonly Node[]): Generator<string> {
  for (const node of nodes) {
    if (typeof node === "string") yield node;
    else yield* flat(node.nodes);
  }
}

function* groupsIn(nodes: readonly Node[]): Generator<Group> {
  for (const node of nodes) {
    if (typeof node === "string") continue;
    yield node;
    yield* groupsIn(node.nodes);
  }
}

/** An item as a message shows it. */
function shown(item: unknown): string {
  const text = JSON.stringify(item);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

/**
 * Whether steps that were named before all were known have this one among them: a child of a fan-out
 * also goes by the step that it was made of (`fit[*]`), and by the child that it is in (`fit[a]`).
 */
export function isNamed(names: ReadonlySet<string>, { id, template }: ManifestStep): boolean {
  if (names.has(id)) return true;
  if (template === undefined) return false;
  if (names.has(template)) return true;
  // Of `fit[a][b]`: `fit[a]`, and what stands for all in it, `fit[a][*]`.
  for (let end = id.indexOf("]") + 1; end > 0 && end < id.length; end = id.indexOf("]", end) + 1) {
    const outer = id.slice(0, end);
    if (names.has(outer) || names.has(outer + id.slice(end).replaceAll(/\[[^\]]*\]/g, "[*]"))) return true;
  }
  return false;
}
