import { resolve } from "node:path";
import { MlpipeError } from "@mlpipe/dsl";
import { print, printJson, say } from "../output.ts";
import { refuseBelowFile } from "../output-place.ts";

/** `mlpipe key create`: makes a key to sign with. */
export async function key(
  action: string,
  path: string | undefined,
  options: { readonly json?: true },
): Promise<number> {
  if (action !== "create") {
    throw new MlpipeError("MLP6010", `mlpipe key cannot ${action}.`, {
      hint: "It can create: mlpipe key create",
    });
  }
  const { createKey, userKeyPath } = await import("@mlpipe/provenance/export");
  const place = path === undefined ? userKeyPath(process.env) : resolve(path);
  refuseBelowFile(place);
  const files = createKey(place);
  if (options.json === true) {
    printJson({ schemaVersion: 1, private: files.private, public: files.public, keyid: files.id });
    return 0;
  }
  print(files.public);
  say(`Sign with ${files.private}, which only you can read. Give away ${files.public}: it verifies.`);
  return 0;
}
