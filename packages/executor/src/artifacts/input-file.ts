/** Input files and folders. */
import { isUtf8 } from "node:buffer";
import { createReadStream, readdirSync, realpathSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { type FileReader, type FolderReader, MlpipeError, type Site } from "@mlpipe/dsl";

/** Where an input is, and how messages name it. */
export interface InputPlace {
  readonly port: string;
  /** Absolute. */
  readonly path: string;
}

/** An input file. */
export class InputFile implements FileReader {
  readonly path: string;
  readonly #port: string;

  constructor({ port, path }: InputPlace) {
    this.path = path;
    this.#port = port;
  }

  async bytes(): Promise<Uint8Array> {
    return readFile(this.path);
  }

  async text(): Promise<string> {
    const bytes = await readFile(this.path);
    if (!isUtf8(bytes)) throw await this.notUtf8();
    return bytes.toString("utf8");
  }

  /** `days.csv`, and behind the link the file it is, where that has a name of its own. */
  protected get named(): string {
    const name = basename(this.path);
    const real = this.#real();
    return `the input ${this.#port} (${real === undefined ? name : relative(process.cwd(), real)})`;
  }

  /** The place a message points at: of a file that people can open, not of a kept copy. */
  protected site(line: number): Site | undefined {
    const file = this.#real();
    return file === undefined ? undefined : { file, line, column: 1 };
  }

  protected async notUtf8(): Promise<MlpipeError> {
    const line = await firstLineNotUtf8(this.path);
    return new MlpipeError("MLP3024", `Line ${line} of ${this.named} is not valid UTF-8.`, {
      exit: 1,
      hint: "Convert the file: iconv -f WINDOWS-1252 -t UTF-8.",
      at: this.site(line),
    });
  }

  #real(): string | undefined {
    try {
      const real = realpathSync(this.path);
      // Kept objects are named by their digest and have no ending.
      return basename(real).includes(".") ? real : undefined;
    } catch {
      return undefined;
    }
  }
}

async function firstLineNotUtf8(path: string): Promise<number> {
  let line = 1;
  let rest = "";
  // In latin1 each byte is a character, and back.
  for await (const chunk of createReadStream(path, "latin1")) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    for (const text of lines) {
      if (!isUtf8(Buffer.from(text, "latin1"))) return line;
      line++;
    }
  }
  return line;
}

/** An input folder. */
export class InputFolder implements FolderReader {
  readonly path: string;

  constructor({ path }: InputPlace) {
    this.path = path;
  }

  files(): readonly string[] {
    const found: string[] = [];
    const folders = [""];
    for (const folder of folders) {
      for (const entry of readdirSync(join(this.path, folder), { withFileTypes: true })) {
        const inner = folder === "" ? entry.name : `${folder}/${entry.name}`;
        const isFolder = entry.isSymbolicLink()
          ? (statSync(join(this.path, inner), { throwIfNoEntry: false })?.isDirectory() ?? false)
          : entry.isDirectory();
        // A link to a folder may lead in circles, and is listed as the one entry it is.
        if (isFolder && !entry.isSymbolicLink()) folders.push(inner);
        else if (!isFolder) found.push(inner);
      }
    }
    return found.sort();
  }
}
