import { readdirSync } from "node:fs";
import { join } from "node:path";

/** The C library: `glibc 2.36`, `musl`; nothing where the system has another one. */
export function libcOf(root = "/"): string | undefined {
  // Node has the option since 22.0, and the types of it do not.
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork: boolean };
  const before = report.excludeNetwork;
  // Looking up the names of network interfaces would take a long time.
  report.excludeNetwork = true;
  try {
    // Typed as an object; what Node documents of it.
    const { header } = report.getReport() as { readonly header?: { readonly glibcVersionRuntime?: string } };
    if (header?.glibcVersionRuntime !== undefined) return `glibc ${header.glibcVersionRuntime}`;
  } finally {
    report.excludeNetwork = before;
  }
  try {
    return readdirSync(join(root, "lib")).some((name) => name.startsWith("ld-musl-")) ? "musl" : undefined;
  } catch {
    return undefined;
  }
}
