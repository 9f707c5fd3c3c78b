import type { ManifestSite } from "./manifest.ts";
import type { Call } from "./site.ts";

/**
 * Where something was called, as a manifest has it. It is found out when somebody asks: a manifest has thousands, and
 * errors and records ask for few.
 */
export class CallPlace implements ManifestSite {
  readonly #call: Call;
  readonly #places: CallPlaces;

  constructor(call: Call, places: CallPlaces) {
    this.#call = call;
    this.#places = places;
  }

  /** The pipeline's file where no user is near. */
  get file(): string {
    const { site } = this.#call;
    return site === undefined ? this.#places.file : this.#places.relative(site.file);
  }

  get line(): number {
    return this.#call.site?.line ?? 1;
  }

  get column(): number {
    return this.#call.site?.column ?? 1;
  }

  toJSON(): ManifestSite {
    const { column, file, line } = this;
    return { column, file, line };
  }
}

/** What makes a place of a manifest out of one on this machine. */
interface CallPlaces {
  /** The pipeline's module, relative to the project's root. */
  readonly file: string;
  /** A path relative to the project's root, with `/`. */
  relative(path: string): string;
}
