/** The JSON-LD of a crate: entities by their id. */

/** An entity: its id, its type, and what is said of it. */
export interface Entity {
  readonly "@id": string;
  readonly "@type": string | readonly string[];
  readonly [property: string]: unknown;
}

/** An entity, where another speaks of it. */
export interface Reference {
  readonly "@id": string;
}

export class CrateGraph {
  readonly #entities = new Map<string, Entity>();
  /** By entity and property the ids that it leads to: thousands of steps may read one file. */
  readonly #links = new Map<string, Map<string, Set<string>>>();

  /** Adds an entity unless it is there. */
  add(entity: Entity): Reference {
    const id = entity["@id"];
    if (!this.#entities.has(id)) this.#entities.set(id, entity);
    return { "@id": id };
  }

  /** Says one more thing of an entity: that a property of it leads there too. */
  link({ "@id": id }: Reference, property: string, to: Reference): void {
    const links = this.#links.get(id) ?? new Map<string, Set<string>>();
    this.#links.set(id, links);
    const ids = links.get(property) ?? new Set();
    links.set(property, ids.add(to["@id"]));
  }

  /** The whole, with the descriptor that says of which version it is. */
  document(): Readonly<Record<string, unknown>> {
    return {
      "@context": ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"],
      "@graph": [
        {
          "@id": "ro-crate-metadata.json",
          "@type": "CreativeWork",
          about: { "@id": "./" },
          conformsTo: [
            { "@id": "https://w3id.org/ro/crate/1.1" },
            { "@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0" },
          ],
        },
        ...[...this.#entities.values()].map((entity) => flat({ ...entity, ...this.#linksOf(entity) })),
      ],
    };
  }

  #linksOf({ "@id": id }: Entity): Readonly<Record<string, readonly Reference[]>> {
    return Object.fromEntries(
      [...(this.#links.get(id) ?? [])].map(([property, ids]) => [
        property,
        [...ids].map((each) => ({ "@id": each })),
      ]),
    );
  }
}

/** RO-Crate wants a single value as itself, and nothing said where there is nothing to say. */
function flat(entity: Entity): Entity {
  const properties = Object.entries(entity).flatMap(([property, value]): readonly [string, unknown][] => {
    if (!Array.isArray(value) || value.length > 1) return [[property, value]];
    return value.length === 0 ? [] : [[property, value[0]]];
  });
  return { ...Object.fromEntries(properties), "@id": entity["@id"], "@type": entity["@type"] };
}
