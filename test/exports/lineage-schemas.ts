/** The JSON Schemas of OpenLineage, which lie beside a checkout and are not part of it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import addFormats from "ajv-formats";
import { Ajv2020 } from "ajv/dist/2020.js";

const repository = join(import.meta.dirname, "../..");
const folder = join(repository, "../shared/schemas/openlineage");

/** Whether they are there. */
export const haveSchemas = existsSync(join(folder, "OpenLineage.json"));

interface Facet {
  readonly _schemaURL: string;
}

type FacetMap = Readonly<Record<string, Facet>>;

interface Dataset {
  readonly facets: FacetMap;
  readonly inputFacets?: FacetMap;
  readonly outputFacets?: FacetMap;
}

/** The parts of an event that the tests look at. */
export interface Event {
  readonly eventTime: string;
  readonly eventType: string;
  readonly run: { readonly runId: string; readonly facets: FacetMap };
  readonly job: { readonly namespace: string; readonly name: string; readonly facets: FacetMap };
  readonly inputs: readonly (Dataset & { readonly namespace: string; readonly name: string })[];
  readonly outputs: readonly (Dataset & { readonly namespace: string; readonly name: string })[];
}

/** What is wrong with an event: in itself, and in each of its facets by the schema that the facet names. */
export function lineageProblems(event: unknown): readonly string[] {
  const schemas = (validators ??= load());
  const problems = problemsOf(schemas, "https://openlineage.io/spec/2-0-2/OpenLineage.json", event);
  if (problems.length > 0) return problems;
  // It has the shape of an event.
  const { run, job, inputs, outputs } = event as Event;
  const maps = [run.facets, job.facets, ...[...inputs, ...outputs].flatMap((each) => facetMaps(each))];
  return maps.flatMap((facets) =>
    Object.entries(facets).flatMap(([name, facet]) => {
      const [schema = ""] = facet._schemaURL.split("#");
      return problemsOf(schemas, schema, { [name]: facet }).map((problem) => `${name}: ${problem}`);
    }),
  );
}

let validators: Ajv2020 | undefined;

function load(): Ajv2020 {
  const ajv = new Ajv2020({ allErrors: true, strict: false });
  // Both are CommonJS: the function itself is what a bundler would call its default.
  (addFormats as unknown as (to: Ajv2020) => void)(ajv);
  ajv.addSchema(JSON.parse(readFileSync(join(folder, "OpenLineage.json"), "utf8")));
  for (const name of readdirSync(join(folder, "facets"))) {
    ajv.addSchema(JSON.parse(readFileSync(join(folder, "facets", name), "utf8")));
  }
  ajv.addSchema(
    JSON.parse(readFileSync(join(repository, "docs/schemas/openlineage/MetricsRunFacet.json"), "utf8")),
  );
  return ajv;
}

function problemsOf(ajv: Ajv2020, schema: string, value: unknown): readonly string[] {
  const validate = ajv.getSchema(schema);
  if (validate === undefined) return [`there is no schema ${schema}`];
  if (validate(value) === true) return [];
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message ?? ""}`);
}

function facetMaps({ facets, inputFacets = {}, outputFacets = {} }: Dataset): readonly FacetMap[] {
  return [facets, inputFacets, outputFacets];
}
