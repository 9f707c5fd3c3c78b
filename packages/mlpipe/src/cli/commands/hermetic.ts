/** `--hermetic`: the fence that a run is given, or why there is none. */
import { anyItem, type Manifest, MlpipeError } from "@mlpipe/dsl";
import { type Fence, findFence } from "@mlpipe/executor/fence";
import { say } from "../output.ts";

/**
 * The fence for the steps of a run.
 * @throws MlpipeError MLP3052 if there is none and a step starts a program, which nothing could hold
 */
export function fenceFor(manifest: Manifest, selected: ReadonlySet<string> | undefined): Fence {
  const fence = findFence(process.env);
  if (fence.sandbox !== "permission") return fence;
  const needed =
    process.platform === "linux"
      ? "Landlock (Linux 5.13) with a python3 on PATH, or bubblewrap (bwrap)"
      : "Linux, with Landlock and a python3, or with bubblewrap";
  const command = manifest.steps.find(
    ({ id, body }) => body.type === "command" && (selected === undefined || isAmong(selected, id)),
  );
  if (command !== undefined) {
    throw new MlpipeError(
      "MLP3052",
      `"${command.id}" starts a program, and nothing here could keep it to what it declares.`,
      {
        exit: 4,
        hint: `--hermetic needs ${needed}. Without, mlpipe run warns of what it sees.`,
      },
    );
  }
  say(
    `warning  --hermetic is partial here: Node's permission model alone follows links. The whole of it needs ${needed}.`,
  );
  return fence;
}

/** A child of a fan-out that has not expanded yet is selected by an id of its own. */
function isAmong(selected: ReadonlySet<string>, id: string): boolean {
  const body = id.includes(anyItem) ? id.slice(0, id.indexOf(anyItem) + 1) : undefined;
  return selected.has(id) || (body !== undefined && [...selected].some((name) => name.startsWith(body)));
}
