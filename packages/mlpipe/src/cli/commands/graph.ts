import type { Manifest } from "@mlpipe/dsl";
import { upstreamOf } from "@mlpipe/planner";
import { columns, print, printJson } from "../output.ts";
import { styleFor } from "../style.ts";
import { openSession, type PipelineOptions } from "./session.ts";

export interface GraphOptions extends PipelineOptions {
  readonly format: "text" | "dot" | "mermaid" | "json";
}

/** `mlpipe graph`: the steps and what feeds them. */
export async function graph(named: string | undefined, options: GraphOptions): Promise<number> {
  const { manifest, store } = await openSession(named, options, { looking: true });
  store.close();
  switch (options.json === true ? "json" : options.format) {
    case "json":
      printJson(asJson(manifest));
      break;
    case "dot":
      print(asDot(manifest));
      break;
    case "mermaid":
      print(asMermaid(manifest));
      break;
    case "text":
      printText(manifest);
  }
  return 0;
}

interface Edge {
  readonly from: string;
  readonly to: string;
}

function edgesOf(manifest: Manifest): readonly Edge[] {
  return manifest.steps.flatMap((step) => upstreamOf(step).map((from) => ({ from, to: step.id })));
}

function asJson(manifest: Manifest): unknown {
  return {
    schemaVersion: 1,
    pipeline: manifest.pipeline,
    steps: manifest.steps.map((step) => ({
      id: step.id,
      kind: step.kind,
      ...(step.description !== undefined && { description: step.description }),
      ...(step.each !== undefined && { each: step.each.at(-1) }),
      needs: upstreamOf(step),
      inputs: step.inputs,
      outputs: step.outputs,
    })),
    ...(manifest.fanOuts !== undefined && { fanOuts: manifest.fanOuts }),
    outputs: manifest.outputs,
  };
}

function asDot(manifest: Manifest): string {
  const quote = (text: string): string => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  const shapes = { data: "box", train: "box3d", evaluate: "note", gate: "diamond", deploy: "cds" } as const;
  return [
    `digraph ${quote(manifest.pipeline)} {`,
    "  rankdir=LR;",
    // A second outline: there will be one for each item of a list.
    ...manifest.steps.map(
      ({ id, kind, each }) =>
        `  ${quote(id)} [shape=${shapes[kind]}${each === undefined ? "" : ", peripheries=2"}];`,
    ),
    ...edgesOf(manifest).map(({ from, to }) => `  ${quote(from)} -> ${quote(to)};`),
    "}",
  ].join("\n");
}

function asMermaid(manifest: Manifest): string {
  // Mermaid's own names are numbers: an id may hold anything, and anything may be a keyword of its.
  const names = new Map(manifest.steps.map(({ id }, index) => [id, `s${index}`]));
  const label = (text: string): string => `"${text.replaceAll('"', "#quot;")}"`;
  return [
    "flowchart LR",
    ...manifest.steps.map(({ id, kind, each }) => {
      const shapes = { gate: ["{", "}"], deploy: ["([", "])"] } as const;
      const plain = each === undefined ? (["[", "]"] as const) : (["[[", "]]"] as const);
      const [open, close] = kind === "gate" || kind === "deploy" ? shapes[kind] : plain;
      return `  ${names.get(id)}${open}${label(id)}${close}`;
    }),
    ...edgesOf(manifest).map(({ from, to }) => `  ${names.get(from)} --> ${names.get(to)}`),
  ].join("\n");
}

function printText(manifest: Manifest): void {
  const style = styleFor(process.stdout);
  print(style("strong", manifest.pipeline));
  const rows = manifest.steps.map((step) => {
    const sources = Object.values(step.inputs).flatMap(({ from }) =>
      from.type === "source" ? [from.path] : [],
    );
    const needs = [...upstreamOf(step), ...sources.map((path) => style("name", path))];
    const each = step.each === undefined ? "" : style("quiet", `  (${step.each.at(-1)})`);
    const left = needs.length === 0 ? "" : `← ${needs.join(", ")}`;
    return [`  ${step.id}`, style("quiet", step.kind), `${left}${each}`];
  });
  for (const line of columns(rows)) print(line);
}
