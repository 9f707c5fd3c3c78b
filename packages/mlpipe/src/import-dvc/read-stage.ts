/** One stage of a `dvc.yaml`. */
import { posix } from "node:path";
import type { Site } from "@mlpipe/dsl";
import type { Remarks } from "./remark.ts";
import { noShape, type Surroundings } from "./read-stages.ts";
import type { Stage, StageOut, StageParam, StagePath } from "./stage.ts";
import { joined, resolved, type Text, textOf, type Variable, type Variables } from "./template.ts";
import { isMapping, type YamlFile, type YamlPath } from "./yaml-file.ts";

/** Where a stage stands. */
export interface StagePlace extends Surroundings {
  readonly file: YamlFile;
  /** The way to its body in the file. */
  readonly path: YamlPath;
  /** The folder of the file, relative to the project's root. */
  readonly folder: string;
  readonly variables: Variables;
  readonly name: string;
  readonly key: string | undefined;
}

const known = new Set(
  "cmd deps outs params metrics plots wdir frozen always_changed desc meta vars live".split(" "),
);

/** Reads a stage. */
export function readStage(body: Readonly<Record<string, unknown>>, place: StagePlace): Stage {
  const { file, path, folder, variables, remarks, name, key } = place;
  const at = (...rest: YamlPath): Site => file.place([...path, ...rest]);
  const text = (value: unknown, site: Site): Text => variables.text(textOf(value), site);
  const id = key === undefined ? name : `${name}@${key}`;

  const wdir = text(body["wdir"] ?? ".", at("wdir"));
  const base = posix.join(folder, resolved(wdir));
  for (const setting of Object.keys(body)) {
    if (!known.has(setting)) remarks.lost(`stages.${name}.${setting}`, `${setting}: not known.`, at(setting));
  }
  if (body["meta"] !== undefined) remarks.lost(`stages.${name}.meta`, "meta: not carried.", at("meta"));

  const given = body["cmd"];
  if (given === undefined || given === null) throw noShape(`the stage ${name} has no cmd`, at());
  const commands = (Array.isArray(given) ? given : [given]).map((each: unknown, index) => {
    const site = at("cmd", ...(Array.isArray(given) ? [index] : []));
    return unfolded(text(each, site));
  });

  const reader = new PathReader(place, base);
  const deps = reader.entries("deps", body).map(({ named, settings, site }) => {
    for (const setting of Object.keys(settings))
      remarks.lost(`stages.${name}.deps`, `${setting} of ${named}: not carried.`, site);
    return reader.path(named, site);
  });
  const outs = [
    ...reader.outs("outs", "out", body),
    ...reader.outs("metrics", "metrics", body),
    ...reader.outs("plots", "plots", body),
    ...liveOuts(body["live"], reader, at, remarks),
  ];
  return {
    name: id,
    group: name,
    key,
    description: body["desc"] === undefined ? undefined : resolved(text(body["desc"], at("desc"))).trim(),
    commands,
    folder: base,
    deps,
    outs,
    params: reader.params(body),
    alwaysChanged: body["always_changed"] === true,
    frozen: body["frozen"] === true,
    at: at(),
  };
}

/** Reads what names files in a stage. */
class PathReader {
  readonly #place: StagePlace;
  readonly #base: string;

  constructor(place: StagePlace, base: string) {
    this.#place = place;
    this.#base = base;
  }

  /** The entries of a list, each a name or a name with its settings. */
  entries(
    section: string,
    body: Readonly<Record<string, unknown>>,
  ): readonly { named: string; settings: Readonly<Record<string, unknown>>; site: Site; path: YamlPath }[] {
    const list = body[section];
    if (list === undefined || list === null) return [];
    const { file, path, name } = this.#place;
    if (!Array.isArray(list))
      throw noShape(`${section} of ${name} is no list`, file.place([...path, section]));
    return list.flatMap((entry: unknown, index) => {
      const at = [...path, section, index];
      if (typeof entry === "string") return [{ named: entry, settings: {}, site: file.place(at), path: at }];
      if (!isMapping(entry))
        throw noShape(`${section} of ${name} has an entry without a name`, file.place(at));
      return Object.entries(entry).map(([named, settings]) => ({
        named,
        settings: isMapping(settings) ? settings : {},
        site: file.place([...at, named]),
        path: [...at, named],
      }));
    });
  }

  path(named: string, site: Site): StagePath {
    const text = this.#place.variables.text(named, site);
    const plain = resolved(text);
    if (/^[a-z][a-z0-9+.-]*:\/\//i.test(plain) || posix.isAbsolute(plain))
      return { text, path: plain, at: site };
    const path = posix.join(this.#base, plain).replace(/\/$/, "");
    const isPlain = text.every((piece) => typeof piece === "string");
    return {
      text: isPlain ? [path] : joined([this.#base === "." ? "" : `${this.#base}/`, ...text]),
      path,
      at: site,
    };
  }

  outs(
    section: string,
    role: StageOut["role"],
    body: Readonly<Record<string, unknown>>,
  ): readonly StageOut[] {
    const { name, remarks, file } = this.#place;
    return this.entries(section, body).map(({ named, settings, site, path }) => {
      const what = `stages.${name}.${section}`;
      for (const setting of Object.keys(settings)) {
        const at = file.place([...path, setting]);
        // A run keeps every output, so what DVC leaves to git is kept as well.
        if (setting === "cache") continue;
        if (setting === "persist") {
          if (settings[setting] === true)
            remarks.lost(
              `${what}.persist`,
              `persist of ${named}: each run begins without the file of the one before.`,
              at,
            );
        } else if (role === "plots") {
          remarks.lost(
            `${what}.${setting}`,
            `${setting} of ${named}: the data is an output, how it is drawn is not carried.`,
            at,
          );
        } else remarks.lost(`${what}.${setting}`, `${setting} of ${named}: not carried.`, at);
      }
      return { ...this.path(named, site), role };
    });
  }

  params(body: Readonly<Record<string, unknown>>): readonly StageParam[] {
    const { file, path, variables, name } = this.#place;
    const list = body["params"];
    if (list === undefined || list === null) return [];
    if (!Array.isArray(list)) throw noShape(`params of ${name} is no list`, file.place([...path, "params"]));
    return list.flatMap((entry: unknown, index): StageParam[] => {
      const at = [...path, "params", index];
      if (!isMapping(entry)) {
        const site = file.place(at);
        const text = variables.text(textOf(entry), site);
        return [{ file: posix.join(this.#base, "params.yaml"), name: text, at: site }];
      }
      return Object.entries(entry).flatMap(([named, names]): StageParam[] => {
        const params = posix.join(this.#base, resolved(variables.text(named, file.place([...at, named]))));
        if (!Array.isArray(names) || names.length === 0)
          return [{ file: params, name: undefined, at: file.place([...at, named]) }];
        return names.map((each: unknown, i) => {
          const site = file.place([...at, named, i]);
          return { file: params, name: variables.text(textOf(each), site), at: site };
        });
      });
    });
  }
}

/** `live` of DVC 2: a folder, and the metrics beside it. */
function liveOuts(
  live: unknown,
  reader: PathReader,
  at: (...rest: YamlPath) => Site,
  remarks: Remarks,
): readonly StageOut[] {
  if (!isMapping(live)) return [];
  return Object.entries(live).flatMap(([named, settings]) => {
    const site = at("live", named);
    remarks.changed(
      "live",
      `live ${named}: the folder and ${named}.json are outputs, the page of html is not.`,
      site,
    );
    const folder: StageOut = { ...reader.path(named, site), role: "plots" };
    if (isMapping(settings) && settings["summary"] === false) return [folder];
    return [folder, { ...reader.path(`${named}.json`, site), role: "metrics" as const }];
  });
}

/** A section in a command becomes options, as DVC writes them: `--lr 0.1 --fast`. One of the params does when it runs. */
function unfolded(text: Text): Text {
  const isSection = (piece: Variable): boolean => typeof piece.value === "object" && piece.value !== null;
  return joined(
    text.map((piece) =>
      typeof piece === "string" || !isSection(piece) || piece.origin.type === "params"
        ? piece
        : options(piece.value, "").join(" "),
    ),
  );
}

function options(value: unknown, name: string): readonly string[] {
  if (Array.isArray(value))
    return value.length === 0 ? [] : [`--${name}`, ...value.map((item) => quoted(textOf(item)))];
  if (isMapping(value))
    return Object.entries(value).flatMap(([inner, each]) =>
      options(each, name === "" ? inner : `${name}.${inner}`),
    );
  if (value === true) return [`--${name}`];
  return value === false || value === null ? [] : [`--${name}`, quoted(textOf(value))];
}

function quoted(text: string): string {
  return /^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
