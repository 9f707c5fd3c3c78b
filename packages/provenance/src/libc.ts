import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The C library: `glibc 2.36`, `musl`; nothing where the system has another one. */
export function libcOf(root = "/"): string | undefined {
  return saidByLdd(root) ?? saidByNode() ?? musl(root);
}

/** In glibc `ldd` is a script that has its version in it. To ask Node takes ten times as long. */
function saidByLdd(root: string): string | undefined {
  try {
    const [, version] =
      /\bldd \(.*\) (\d+\.\d+)['"]?$/m.exec(readFileSync(join(root, "usr/bin/ldd"), "latin1")) ?? [];
    return version === undefined ? undefined : `glibc ${version}`;
  } catch {
    return undefined;
  }
}

function saidByNode(): string | undefined {
  // Node has the option since 22.0, and the types of it do not.
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork: boolean };
  const before = report.excludeNetwork;
  // Looking up the names of network interfaces would take a long time.
  report.excludeNetwork = true;
  try {
    // Typed as an object; what Node documents of it.
    const { header } = report.getReport() as { readonly header?: { readonly glibcVersionRuntime?: string } };
    return header?.glibcVersionRuntime === undefined ? undefined : `glibc ${header.glibcVersionRuntime}`;
  } finally {
    report.excludeNetwork = before;
  }
}

function musl(root: string): string | undefined {
  try {
    return readdirSync(join(root, "lib")).some((name) => name.startsWith("ld-musl-")) ? "musl" : undefined;
  } catch {
    return undefined;
  }
}
