/** Where and with what a run was executed: code, packages, machine. */
import { bytes } from "../cli/format.ts";
import { markup, type Markup, type Piece } from "./markup.ts";
import type { ReportedRun, ReportedStep } from "./report-run.ts";
import { digest, facts, folded, json, table } from "./table.ts";

const mostRows = 1_000;

/** The commit, and each declaration and file that the steps are made of. */
export function code({ run, steps }: ReportedRun): Markup | undefined {
  const { git } = run;
  const usedBy = new Map<
    string,
    { readonly name: string; readonly of: string; readonly steps: Set<string> }
  >();
  for (const step of steps) {
    for (const [name, of] of Object.entries(step.code)) {
      const key = `${name}\0${of}`;
      const known = usedBy.get(key) ?? { name, of, steps: new Set<string>() };
      known.steps.add(step.id.replace(/\[.*$/, "[…]"));
      usedBy.set(key, known);
    }
  }
  const parts = [...usedBy.values()].toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const dirty = git?.dirty;
  const untracked = dirty?.untracked ?? [];
  return markup`${facts([
    ["Commit", git?.commit == null ? undefined : markup`<code>${git.commit}</code>`],
    ["Branch", git?.ref?.replace("refs/heads/", "")],
    ["Repository", git?.remote ?? undefined],
    [
      "Changes",
      dirty?.diff == null
        ? undefined
        : markup`${bytes(dirty.diff.size)} not committed ${digest(dirty.diff.digest)}`,
    ],
    [
      "Not tracked",
      untracked.length === 0
        ? undefined
        : `${untracked
            .slice(0, 10)
            .map(({ name }) => name)
            .join(", ")}${untracked.length > 10 ? `, and ${untracked.length - 10} more` : ""}`,
    ],
  ])}${
    parts.length === 0
      ? undefined
      : folded(
          `${parts.length} declarations and files that the steps are made of`,
          table(
            "code",
            [{ title: "Declaration or file", isName: true }, { title: "Used by" }, { title: "Digest" }],
            parts
              .slice(0, mostRows)
              .map(({ name, of, steps: users }): readonly Piece[] => [name, few([...users]), digest(of)]),
          ),
        )
  }`;
}

function few(names: readonly string[]): string {
  return names.length > 6 ? `${names.slice(0, 6).join(", ")} and ${names.length - 6} more` : names.join(", ");
}

/** Packages by version, languages and the machine. */
export function environment({ steps, host, run }: ReportedRun): Markup | undefined {
  const packages = packagesOf(steps);
  const languages = new Set(
    steps.flatMap(({ environment: { node, python }, stepRun }) => {
      const exact = stepRun?.imported?.python ?? python;
      return [
        ...(typeof node === "string" ? [`Node ${node}`] : []),
        ...(typeof exact === "string" ? [`Python ${exact}`] : []),
      ];
    }),
  );
  const silent = steps.flatMap(({ id, stepRun }) => (stepRun?.imported === null ? [id] : []));
  const machine = host === undefined ? [] : machineFacts(host);
  if (packages.length === 0 && machine.length === 0) return undefined;
  return markup`${
    host === undefined
      ? markup`<p class="quiet">Nothing was executed in this run, so no machine is recorded with it: ${run.env === null ? "see the runs that made the results" : "its record is no longer kept"}.</p>
`
      : undefined
  }${facts([["Languages", [...languages].join(", ")], ...machine])}${
    silent.length === 0
      ? undefined
      : markup`<p class="quiet">What Python really imported is not known of ${few(silent)}: it ended without a word, or was started so that it tells nothing.</p>
`
  }${
    packages.length === 0
      ? undefined
      : folded(
          `${packages.length} packages`,
          table(
            "packages",
            [{ title: "Package", isName: true }, { title: "Version" }, { title: "Loaded by" }],
            packages
              .slice(0, mostRows)
              .map(({ name, version, users }): readonly Piece[] => [name, version, few(users)]),
          ),
        )
  }`;
}

function packagesOf(
  steps: readonly ReportedStep[],
): readonly { readonly name: string; readonly version: string; readonly users: readonly string[] }[] {
  const users = new Map<string, Set<string>>();
  for (const { id, packages, stepRun } of steps) {
    // What Python had imported in the end, and what its code was known to reach.
    for (const [name, version] of Object.entries({ ...packages, ...stepRun?.imported?.packages })) {
      // The digest behind a version is of the installed tree.
      const key = `${name}\0${version.replace(/\+[0-9a-f]{16}$/, "")}`;
      const known = users.get(key) ?? new Set<string>();
      users.set(key, known.add(id.replace(/\[.*$/, "[…]")));
    }
  }
  return [...users]
    .map(([key, of]) => {
      const [name = "", version = ""] = key.split("\0");
      return { name, version, users: [...of] };
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** A host's document as later and earlier versions wrote it: what is not there is left out. */
function machineFacts(host: Readonly<Record<string, unknown>>): readonly (readonly [string, Piece])[] {
  const os = fields(host["os"]);
  const cpu = fields(host["cpu"]);
  const gpus = Array.isArray(host["gpus"]) ? host["gpus"].map(fields) : [];
  const variables = Object.entries(fields(host["variables"]));
  const container = host["container"];
  const image = fields(host["image"]);
  return [
    ["System", words(os["platform"], os["release"], os["arch"], os["libc"])],
    ["Processor", words(cpu["count"] === undefined ? undefined : `${json(cpu["count"])} ×`, cpu["model"])],
    ["Memory", typeof host["memoryBytes"] === "number" ? bytes(host["memoryBytes"]) : undefined],
    [
      "GPU",
      gpus
        .map((gpu) =>
          words(
            gpu["name"],
            gpu["memory"],
            gpu["driver"] === undefined ? undefined : `driver ${json(gpu["driver"])}`,
          ),
        )
        .join("; "),
    ],
    ["Node", words(host["node"])],
    [
      "Container",
      words(
        container ?? undefined,
        image["name"],
        image["id"],
        image["source"] === undefined ? undefined : `(by ${json(image["source"])})`,
      ),
    ],
    [
      "CUDA",
      Object.entries(fields(host["cuda"]))
        .map(([of, version]) => `${of} ${json(version)}`)
        .join(", "),
    ],
    ["Locale and time zone", words(host["locale"], host["timezone"])],
    ["Variables", variables.map(([name, value]) => `${name}=${json(value)}`).join(" ")],
  ];
}

function words(...values: readonly unknown[]): string {
  return values.flatMap((value) => (value === undefined || value === null ? [] : [json(value)])).join(" ");
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  // Whatever is in it is looked at as unknown.
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
