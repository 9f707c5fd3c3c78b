/** The images that the steps of a run produced, small enough to be put into the page. */
import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { type ExportedStep, outputsOf } from "@mlpipe/provenance/export";
import { type Content, digestOf, isDigest, type Store } from "@mlpipe/store";
import { bytes } from "../cli/format.ts";

/** An image, or why it is not here. */
export interface Plot {
  readonly step: string;
  /** The port; of an image in a folder, with its path: `all/fold-1.png`. */
  readonly name: string;
  readonly digest: string;
  readonly size: number;
  /** A `data:` URL. */
  readonly url?: string;
  readonly missing?: string;
}

/** So large may an image be, and all of them together: a page is to be sent and opened. */
const largestImage = 1024 * 1024;
const mostBytes = 6 * 1024 * 1024;
const mostImages = 60;

const types: Readonly<Record<string, string>> = {
  ".gif": "image/gif",
  ".jpeg": "image/jpeg",
  ".jpg": "image/jpeg",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".webp": "image/webp",
};

/** The images among the outputs, and plots that are none (HTML), each content of a step once. */
export function plotsOf(store: Store, steps: readonly ExportedStep[]): readonly Plot[] {
  let room = mostBytes;
  let images = 0;
  const plots: Plot[] = [];
  for (const candidate of steps.flatMap((step) => candidatesOf(store, step))) {
    const { step, name, digest, size, path } = candidate;
    const found = { step, name, digest, size };
    const type = types[posix.extname(name).toLowerCase()];
    const missing =
      path === undefined
        ? "no longer in the store"
        : type === undefined
          ? "no image: a report shows images alone"
          : size > largestImage
            ? `larger than ${bytes(largestImage)}`
            : size > room || images === mostImages
              ? `a report holds ${bytes(mostBytes)} and ${mostImages} images at most`
              : undefined;
    if (missing !== undefined || path === undefined) {
      plots.push({ ...found, ...(missing !== undefined && { missing }) });
      continue;
    }
    const content = readFileSync(path);
    if (digestOf(content) !== digest) {
      plots.push({ ...found, missing: "damaged in the store: mlpipe verify says more" });
      continue;
    }
    room -= size;
    images++;
    plots.push({ ...found, url: `data:${type};base64,${content.toString("base64")}` });
  }
  return plots;
}

interface Candidate {
  readonly step: string;
  readonly name: string;
  readonly digest: string;
  readonly size: number;
  /** Where it lies; nothing if it is not there. */
  readonly path: string | undefined;
}

function candidatesOf(store: Store, step: ExportedStep): readonly Candidate[] {
  return outputsOf(step).flatMap(({ type, kind, digest, size, fileName }): readonly Candidate[] => {
    if (!isDigest(digest)) return [];
    const content: Content = { type, digest, size };
    const isHere = store.objects.has(content);
    if (type === "file") {
      const isPlot = kind?.kind === "plot" || types[posix.extname(fileName).toLowerCase()] !== undefined;
      const path = isHere ? store.objects.pathOf(content) : undefined;
      return isPlot ? [{ step: step.id, name: fileName, digest, size, path }] : [];
    }
    if (!isHere) return [];
    return store.objects.tree(content).entries.flatMap((entry): readonly Candidate[] =>
      entry.type === "file" && types[posix.extname(entry.path).toLowerCase()] !== undefined
        ? [
            {
              step: step.id,
              name: `${fileName}/${entry.path}`,
              digest: entry.digest,
              size: entry.size,
              path: posix.join(store.objects.pathOf(content), entry.path),
            },
          ]
        : [],
    );
  });
}
