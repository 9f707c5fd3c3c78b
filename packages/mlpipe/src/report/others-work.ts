import { shortId } from "../cli/format.ts";

/** What is said of a step whose key another run is executing. */
export function othersWork(run: string): string {
  return `run ${shortId(run)} is executing it already`;
}
