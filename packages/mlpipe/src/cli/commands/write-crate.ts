/** Writing a crate: as a folder, or as one zip file. */
import { createWriteStream, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { MlpipeError } from "@mlpipe/dsl";
import { type Content, isDigest, type Store } from "@mlpipe/store";
import type { Crate, CrateFile } from "@mlpipe/provenance/export";
import { ZipFile } from "yazl";

/** Where a crate goes, and what it takes. */
export interface CratePlace {
  readonly store: Store;
  /** Absolute; one that ends in `.zip` becomes a zip file. */
  readonly path: string;
  /** The time of all files in a zip, so that the same run gives the same bytes. */
  readonly time: Date;
}

/** Writes it beside its place and moves it there: whole or not at all. What was there is replaced. */
export async function writeCrate(crate: Crate, place: CratePlace): Promise<void> {
  const { path } = place;
  const temporary = join(dirname(path), `.mlpipe-${process.pid}-${basename(path)}`);
  mkdirSync(dirname(path), { recursive: true });
  try {
    if (path.endsWith(".zip")) await writeZip(crate, place, temporary);
    else writeFolder(crate, place.store, temporary);
    rmSync(path, { recursive: true, force: true });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
}

function writeFolder({ files }: Crate, store: Store, folder: string): void {
  mkdirSync(folder);
  for (const file of files) {
    const target = join(folder, file.path);
    mkdirSync(dirname(target), { recursive: true });
    if ("text" in file) writeFileSync(target, file.text);
    else store.objects.copyOut(known(file.content), target);
  }
}

async function writeZip({ files }: Crate, { store, time }: CratePlace, path: string): Promise<void> {
  const zip = new ZipFile();
  const options = { mtime: time, mode: 0o100644 };
  for (const file of files) {
    if ("text" in file) {
      zip.addBuffer(Buffer.from(file.text), file.path, options);
      continue;
    }
    const content = known(file.content);
    // What was damaged must not leave the store under the digest that the crate gives it.
    if (store.objects.verify(content) !== "ok") {
      throw new MlpipeError("MLP4009", `${file.path} was damaged in the store.`, {
        exit: 4,
        hint: "mlpipe run makes it again.",
      });
    }
    const at = store.objects.pathOf(content);
    if (content.type === "file") {
      zip.addFile(at, file.path, options);
      continue;
    }
    zip.addEmptyDirectory(file.path, { mtime: time, mode: 0o040755 });
    for (const entry of store.objects.tree(content).entries) {
      const name = `${file.path}/${entry.path}`;
      if (entry.type === "folder") zip.addEmptyDirectory(name, { mtime: time, mode: 0o040755 });
      else if (entry.type === "link")
        zip.addBuffer(Buffer.from(entry.target), name, { mtime: time, mode: 0o120777 });
      else
        zip.addFile(join(at, entry.path), name, {
          ...options,
          mode: entry.mode === "x" ? 0o100755 : 0o100644,
        });
    }
  }
  const written = pipeline(zip.outputStream, createWriteStream(path, { flags: "wx" }));
  zip.end();
  await written;
}

function known({ type, digest, size }: Extract<CrateFile, { content: unknown }>["content"]): Content {
  if (!isDigest(digest)) throw new Error(`not a digest: ${digest}`);
  return { type, digest, size };
}
