import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { libcOf } from "./libc.ts";

function underRoot(files: Readonly<Record<string, string>>): string | undefined {
  const root = mkdtempSync(join(tmpdir(), "mlpipe-libc-"));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(root, path, ".."), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return libcOf(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

const isGlibc = process.platform === "linux" && libcOf()?.startsWith("glibc") === true;

test.runIf(isGlibc)("the C library is that of the process, whoever tells it", () => {
  const { header } = process.report.getReport() as { readonly header: { glibcVersionRuntime: string } };
  const own = `glibc ${header.glibcVersionRuntime}`;
  expect(libcOf()).toBe(own);
  // Without an `ldd`, and with one that says nothing of it.
  expect(underRoot({})).toBe(own);
  expect(underRoot({ "usr/bin/ldd": '#!/bin/sh\nexec /lib/ld-musl-x86_64.so.1 --list "$@"\n' })).toBe(own);
});

test.each([
  ["echo 'ldd (Debian GLIBC 2.36-9+deb12u14) 2.36'", "glibc 2.36"],
  ['echo "ldd (GNU libc) 2.41"', "glibc 2.41"],
  ["echo 'ldd (Ubuntu GLIBC 2.39-0ubuntu8) 2.39'", "glibc 2.39"],
])("in glibc ldd tells it: %s", (line, libc) => {
  expect(underRoot({ "usr/bin/ldd": `#! /bin/bash\n  --version)\n    ${line}\n` })).toBe(libc);
});
