/** The graph of a run as it is drawn: its steps and sources, where there are too many of a sort in one node. */
import { makersOf, inputsOf, type ExportedRun } from "@mlpipe/provenance/export";
import type { ReportedStep } from "./report-run.ts";

/** Something that is drawn as one box. */
export interface GraphNode {
  readonly id: string;
  readonly label: string;
  readonly type: "step" | "group" | "source";
  /** The step, or those of the group. */
  readonly steps: readonly ReportedStep[];
  /** The nodes that feed it, each with what is handed on. */
  readonly needs: ReadonlyMap<string, readonly string[]>;
}

/** Children of one `each` are one node if there are more of them; so are steps that are fed and read alike, and chains. */
const mostAlike = 6;
/** Graphs of up to so many nodes are drawn as they are, but for the children of an `each`. */
const mostNodes = 40;
/** What is larger after all that is a picture of nothing. */
const mostDrawn = 120;
/** More sources are one node. */
const mostSources = 12;

/** The nodes, each after those that feed it; nothing if there are more than a picture shows. */
export function graphNodes(
  steps: readonly ReportedStep[],
  run: ExportedRun["run"],
): readonly GraphNode[] | undefined {
  const children = foldedChildren(steps);
  let groups = groupsBy(steps, (step) => children.get(step.id) ?? step.id);
  if (groups.size > mostNodes) groups = foldAlike(groups);
  if (groups.size > mostNodes) groups = foldChains(groups);
  const sources = sourceNodes(steps, run, groups);
  if (groups.size + sources.nodes.length > mostDrawn) return undefined;
  const nodes = [...groups].map(([id, group]): GraphNode => {
    const { members, label } = group;
    const [only] = members;
    const needs = new Map([...needsOf(id, groups), ...(sources.readBy.get(id) ?? [])]);
    return members.length === 1 && only !== undefined
      ? { id, label: only.id, type: "step", steps: members, needs }
      : { id, label, type: "group", steps: members, needs };
  });
  return [...sources.nodes, ...inOrder(nodes)];
}

interface Group {
  readonly label: string;
  readonly members: readonly ReportedStep[];
}

/** By step, the group of children it belongs to. */
function foldedChildren(steps: readonly ReportedStep[]): ReadonlyMap<string, string> {
  const byTemplate = Map.groupBy(
    steps.filter(({ id }) => id.includes("[")),
    ({ id }) => id.replaceAll(/\[[^\]]*\]/g, "[…]"),
  );
  const many = [...byTemplate].filter(([, members]) => members.length > mostAlike);
  const folded = new Map(many.flatMap(([name, members]) => members.map(({ id }) => [id, name] as const)));
  // Children that follow one another through other groups would make a circle of them: those stay apart.
  const first = new Map<string, number>();
  steps.forEach(({ id }, index) => {
    const name = folded.get(id) ?? id;
    if (!first.has(name)) first.set(name, index);
  });
  const circular = new Set<string>();
  for (const { id, needs } of steps) {
    const name = folded.get(id) ?? id;
    for (const need of needs.keys()) {
      const from = folded.get(need) ?? need;
      if (from !== name && (first.get(from) ?? 0) > (first.get(name) ?? 0)) circular.add(from).add(name);
    }
  }
  return new Map([...folded].filter(([, name]) => !circular.has(name)));
}

function groupsBy(
  steps: readonly ReportedStep[],
  nameOf: (step: ReportedStep) => string,
): ReadonlyMap<string, Group> {
  return new Map([...Map.groupBy(steps, nameOf)].map(([label, members]) => [label, { label, members }]));
}

/** The groups that feed a group, with the ports. */
function needsOf(id: string, groups: ReadonlyMap<string, Group>): ReadonlyMap<string, readonly string[]> {
  const owner = ownersIn(groups);
  const needs = new Map<string, Set<string>>();
  for (const step of groups.get(id)?.members ?? []) {
    for (const [need, ports] of step.needs) {
      const from = owner.get(need);
      if (from === undefined || from === id) continue;
      const known = needs.get(from) ?? new Set<string>();
      for (const port of ports) known.add(port);
      needs.set(from, known);
    }
  }
  return new Map([...needs].map(([from, ports]) => [from, [...ports]]));
}

const owners = new WeakMap<ReadonlyMap<string, Group>, ReadonlyMap<string, string>>();

function ownersIn(groups: ReadonlyMap<string, Group>): ReadonlyMap<string, string> {
  const known = owners.get(groups);
  if (known !== undefined) return known;
  const found = new Map(
    [...groups].flatMap(([name, { members }]) => members.map((step) => [step.id, name] as const)),
  );
  owners.set(groups, found);
  return found;
}

function neighbours(
  groups: ReadonlyMap<string, Group>,
): ReadonlyMap<string, { needs: string[]; users: string[] }> {
  const around = new Map(
    [...groups.keys()].map((id) => [id, { needs: [] as string[], users: [] as string[] }]),
  );
  for (const id of groups.keys()) {
    for (const need of needsOf(id, groups).keys()) {
      around.get(id)?.needs.push(need);
      around.get(need)?.users.push(id);
    }
  }
  return around;
}

/** Steps of one kind that read from the same steps and are read by the same ones. */
function foldAlike(groups: ReadonlyMap<string, Group>): ReadonlyMap<string, Group> {
  const around = neighbours(groups);
  const alike = Map.groupBy(groups, ([id, { members }]) =>
    JSON.stringify([around.get(id)?.needs.toSorted(), around.get(id)?.users.toSorted(), members[0]?.kind]),
  );
  return merged(
    groups,
    [...alike.values()].map((same) => same.map(([id]) => id)),
  );
}

/** Steps that follow one another with nothing beside them. */
function foldChains(groups: ReadonlyMap<string, Group>): ReadonlyMap<string, Group> {
  const around = neighbours(groups);
  const chains: string[][] = [];
  const chainOf = new Map<string, string[]>();
  for (const { id } of inOrder([...groups].map(([name]) => ({ id: name, needs: needsOf(name, groups) })))) {
    const [need, another] = around.get(id)?.needs ?? [];
    const follows = need !== undefined && another === undefined && around.get(need)?.users.length === 1;
    const chain = (follows ? chainOf.get(need) : undefined) ?? [];
    if (chain.length === 0) chains.push(chain);
    chain.push(id);
    chainOf.set(id, chain);
  }
  return merged(groups, chains);
}

function merged(
  groups: ReadonlyMap<string, Group>,
  sets: readonly (readonly string[])[],
): ReadonlyMap<string, Group> {
  const into = new Map<string, readonly string[]>();
  for (const set of sets) if (set.length > mostAlike) for (const id of set) into.set(id, set);
  const result = new Map<string, Group>();
  for (const [id, group] of groups) {
    const set = into.get(id);
    if (set === undefined) result.set(id, group);
    else if (set[0] === id) {
      const label = `${groups.get(id)?.label ?? id} … ${groups.get(set.at(-1) ?? id)?.label ?? id}`;
      result.set(id, { label, members: set.flatMap((each) => groups.get(each)?.members ?? []) });
    }
  }
  return result;
}

interface Sources {
  readonly nodes: readonly GraphNode[];
  /** By the group that reads, the nodes of its sources and the ports. */
  readonly readBy: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;
}

function sourceNodes(
  steps: readonly ReportedStep[],
  run: ExportedRun["run"],
  groups: ReadonlyMap<string, Group>,
): Sources {
  const makerOf = makersOf({ run, steps, host: undefined });
  const owner = ownersIn(groups);
  const reads = steps.flatMap((step) =>
    inputsOf(step, makerOf)
      .filter(({ from }) => from === undefined)
      .map(({ path, port }) => ({ path, port, reader: owner.get(step.id) ?? step.id })),
  );
  const paths = [...new Set(reads.map(({ path }) => path))];
  const isOne = paths.length > mostSources;
  const nodeOf = (path: string): string => `source:${isOne ? "" : path}`;
  const readBy = new Map<string, Map<string, string[]>>();
  for (const { path, port, reader } of reads) {
    const of = readBy.get(reader) ?? new Map<string, string[]>();
    readBy.set(reader, of);
    const ports = of.get(nodeOf(path)) ?? [];
    of.set(nodeOf(path), ports);
    if (!ports.includes(port)) ports.push(port);
  }
  const nodes = (isOne ? [""] : paths).map((path): GraphNode => ({
    id: nodeOf(path),
    label: isOne ? `${paths.length} sources` : (path.split("/").at(-1) ?? path) || path,
    type: "source",
    steps: [],
    needs: new Map(),
  }));
  return { nodes: paths.length === 0 ? [] : nodes, readBy };
}

/** Each after those it needs; what is in a circle, which there should not be, comes last. */
function inOrder<Node extends Pick<GraphNode, "id" | "needs">>(nodes: readonly Node[]): readonly Node[] {
  const known = new Map(nodes.map((node) => [node.id, node]));
  const waiting = new Map(
    nodes.map(({ id, needs }) => [id, [...needs.keys()].filter((need) => known.has(need)).length]),
  );
  const users = new Map<string, string[]>();
  for (const { id, needs } of nodes)
    for (const need of needs.keys()) users.set(need, [...(users.get(need) ?? []), id]);
  const ready = nodes.filter(({ id }) => waiting.get(id) === 0);
  for (let index = 0; index < ready.length; index++) {
    for (const user of users.get(ready[index]?.id ?? "") ?? []) {
      const left = (waiting.get(user) ?? 0) - 1;
      waiting.set(user, left);
      const node = known.get(user);
      if (left === 0 && node !== undefined) ready.push(node);
    }
  }
  const placed = new Set(ready.map(({ id }) => id));
  return [...ready, ...nodes.filter(({ id }) => !placed.has(id))];
}
