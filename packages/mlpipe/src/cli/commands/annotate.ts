import { userInfo } from "node:os";
import { MlpipeError } from "@mlpipe/dsl";
import { timestamp } from "@mlpipe/provenance";
import { annotate, annotationsIn } from "@mlpipe/store/maintenance";
import { shortId } from "../format.ts";
import { printJson, say } from "../output.ts";
import { recordedRun } from "./recorded.ts";
import { openRecords } from "./session.ts";

const tagForm = /^[\p{L}\p{N}][\p{L}\p{N}._:/-]{0,63}$/u;

/** `mlpipe tag RUN TAG…`: gives tags to a run, or takes them off. */
export function tag(
  id: string,
  tags: readonly string[],
  options: { readonly remove?: true; readonly json?: true },
): number {
  const wrong = tags.find((each) => !tagForm.test(each));
  if (wrong !== undefined) {
    throw new MlpipeError("MLP6010", `${JSON.stringify(wrong)} is no tag.`, {
      hint: "A tag is one word of letters, digits and . _ : / -, at most 64 characters.",
    });
  }
  return annotated(id, options, (common) => ({
    ...common,
    type: options.remove === true ? "untag" : "tag",
    tags,
  }));
}

/** `mlpipe note RUN TEXT`: says something of a run. */
export function note(id: string, text: string, options: { readonly json?: true }): number {
  if (text.trim() === "") throw new MlpipeError("MLP6010", "A note without a text says nothing.");
  return annotated(id, options, (common) => ({ ...common, type: "note", text }));
}

type Annotation = Parameters<typeof annotate>[1];

function annotated(
  id: string,
  options: { readonly json?: true },
  make: (common: Pick<Annotation, "run" | "at" | "by">) => Annotation,
): number {
  const { store } = openRecords();
  try {
    const { run } = recordedRun(store, id);
    annotate(store.root, make({ run: run.id, at: timestamp(), by: userName() }));
    const { tags = [], notes = [] } = annotationsIn(store.root).get(run.id) ?? {};
    if (options.json === true) printJson({ schemaVersion: 1, run: run.id, tags, notes });
    else
      say(
        `${shortId(run.id)}  ${[...tags.map((each) => `#${each}`), ...notes.slice(-1).map(({ text }) => text)].join("  ")}`,
      );
    return 0;
  } finally {
    store.close();
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user id without an entry in the system's table, as in many containers.
    return "unknown";
  }
}
