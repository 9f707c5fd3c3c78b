import { distance } from "fastest-levenshtein";

/** The candidate that a misspelt word most likely means, or nothing if none is near. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  // Two of five letters may be wrong: letters that changed places count twice. `trian` is train, `foo` is not bar.
  let limit = Math.max(1, Math.round(word.length * 0.4)) + 1;
  for (const candidate of candidates) {
    const edits = distance(word.toLowerCase(), candidate.toLowerCase());
    if (edits < limit) {
      best = candidate;
      limit = edits;
    }
  }
  return best;
}
