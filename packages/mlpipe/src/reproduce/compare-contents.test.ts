/** Files that say the same and are not the same, and files that do not. Zips and arrays are made by others than us. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { compareContents, type Likeness } from "./compare-contents.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mlpipe-compare-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function place(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

function compared(
  ending: string,
  before: string | Uint8Array,
  after: string | Uint8Array,
  tolerance = 1e-6,
): Likeness {
  return compareContents(place(`before.${ending}`, before), place(`after.${ending}`, after), {
    name: `it.${ending}`,
    tolerance,
  });
}

describe("files", () => {
  it("of equal bytes are identical; of others that nothing is known of, diverged from a byte on", () => {
    expect(compared("bin", "abc", "abc")).toEqual({ verdict: "IDENTICAL" });
    expect(compared("bin", "abc", "abd")).toEqual({
      verdict: "DIVERGED",
      detail: "the bytes differ from 2 on (3 bytes each)",
    });
  });

  it("of JSON are equivalent however they are written, and compared number by number", () => {
    expect(compared("json", '{"a":1,"b":[2.0]}', '{ "b": [2], "a": 1 }')).toMatchObject({
      verdict: "EQUIVALENT",
    });
    expect(compared("json", "[1, 2, 3]", "[1, 2.0000001, 3]")).toEqual({
      verdict: "WITHIN_TOLERANCE",
      detail: "1 of 3 numbers differ, by 5.0e-8 of their size at most",
    });
    expect(compared("json", "[1, 2]", "[1, 2.1]")).toMatchObject({ verdict: "DIVERGED" });
    expect(compared("json", "[1, 2]", "[1, 2, 3]")).toMatchObject({ verdict: "DIVERGED" });
    expect(compared("json", '["1"]', "[1]")).toMatchObject({ verdict: "DIVERGED" });
    expect(compared("json", '{"a":"x"}', '{"b":"x"}')).toMatchObject({ verdict: "DIVERGED" });
    expect(compared("jsonl", '{"a":1}\n{"a":2}\n', '{ "a": 1 }\n{ "a": 2 }')).toMatchObject({
      verdict: "EQUIVALENT",
    });
    expect(compared("json", "[1764000000000]", "[1764000000001]")).toEqual({
      verdict: "DIVERGED",
      detail: "1 of 1 numbers differ, whole ones too",
    });
    expect(compared("json", "[0.5]", "[0.50000000001]", 0)).toMatchObject({ verdict: "DIVERGED" });
    expect(compared("json", "[0]", "[1e-15]")).toMatchObject({ verdict: "WITHIN_TOLERANCE" });
    expect(compared("json", "[0]", "[0.001]")).toMatchObject({ verdict: "DIVERGED" });
  });

  it("of CSV are equivalent with other quotes, line ends and orders of rows, not with another header", () => {
    expect(compared("csv", "a,b\n1,x\n2,y\n", 'a,b\r\n1,"x"\r\n2,"y"\r\n')).toMatchObject({
      verdict: "EQUIVALENT",
    });
    expect(compared("csv", "a,b\n1,x\n2,y\n", "a,b\n2,y\n1,x\n")).toEqual({
      verdict: "EQUIVALENT",
      detail: "the same as CSV, its rows in another order",
    });
    expect(compared("csv", "a,b\n1,2\n", "1,2\na,b\n")).toMatchObject({ verdict: "DIVERGED" });
    expect(compared("csv", "a\n0.1\n", "a\n0.10000000001\n")).toMatchObject({ verdict: "WITHIN_TOLERANCE" });
    expect(compared("csv", "a,b\n1,x\n", "a,b\n1,z\n")).toMatchObject({ verdict: "DIVERGED" });
  });

  it("of ONNX are equivalent if only who made them differs", () => {
    const field = (number: number, text: string): Buffer =>
      Buffer.concat([Buffer.from([(number << 3) | 2, text.length]), Buffer.from(text)]);
    const model = (producer: string, version: string, graph: string): Buffer =>
      Buffer.concat([
        Buffer.from([8, 9]),
        field(2, producer),
        field(3, version),
        field(7, graph),
        field(14, producer),
      ]);
    expect(compared("onnx", model("torch", "2.1", "weights"), model("torch", "2.10", "weights"))).toEqual({
      verdict: "EQUIVALENT",
      detail: "the same as ONNX without its metadata",
    });
    expect(
      compared("onnx", model("torch", "2.1", "weights"), model("torch", "2.1", "heights")),
    ).toMatchObject({
      verdict: "DIVERGED",
    });
  });

  it("of zip and npz are equivalent whatever their times and compression, and their arrays are compared", () => {
    const python = `
import struct, sys, zipfile
def npy(values):
    head = "{'descr': '<f8', 'fortran_order': False, 'shape': (%d,), }" % len(values)
    head = head + " " * (63 - (10 + len(head)) % 64) + "\\n"
    return b"\\x93NUMPY\\x01\\x00" + struct.pack("<H", len(head)) + head.encode() + struct.pack("<%dd" % len(values), *values)
def write(name, year, method, values):
    with zipfile.ZipFile(name, "w", method) as z:
        for member in ("b.npy", "a.npy") if year > 2000 else ("a.npy", "b.npy"):
            z.writestr(zipfile.ZipInfo(member, (year, 1, 1, 0, 0, 0)), npy(values), method)
write("one.npz", 1999, zipfile.ZIP_STORED, [1.0, 2.0])
write("two.npz", 2026, zipfile.ZIP_DEFLATED, [1.0, 2.0])
write("near.npz", 1999, zipfile.ZIP_STORED, [1.0, 2.0 + 1e-9])
write("far.npz", 1999, zipfile.ZIP_STORED, [1.0, 2.5])
`;
    execFileSync("python3", ["-c", python], { cwd: folder });
    const likeness = (name: string): Likeness =>
      compareContents(join(folder, "one.npz"), join(folder, name), { name: "it.npz", tolerance: 1e-6 });
    expect(likeness("two.npz")).toEqual({
      verdict: "EQUIVALENT",
      detail: "the same as the members of a zip",
    });
    expect(likeness("near.npz")).toMatchObject({
      verdict: "WITHIN_TOLERANCE",
      detail: expect.stringMatching(/^2 of 4 numbers/) as string,
    });
    expect(likeness("far.npz")).toMatchObject({ verdict: "DIVERGED" });
  });
});

it("folders are as alike as the least alike of their files", () => {
  place("was/a.json", '{"a":1,"b":2}');
  place("was/b.txt", "same");
  place("is/a.json", '{"b":2,"a":1}');
  place("is/b.txt", "same");
  const likeness = (): Likeness =>
    compareContents(join(folder, "was"), join(folder, "is"), { name: "it", tolerance: 0 });
  expect(likeness()).toEqual({ verdict: "EQUIVALENT", detail: "a.json: the same as JSON" });
  place("is/b.txt", "other");
  expect(likeness()).toMatchObject({
    verdict: "DIVERGED",
    detail: expect.stringMatching(/^b\.txt: /) as string,
  });
  rmSync(join(folder, "is/b.txt"));
  expect(likeness()).toEqual({ verdict: "DIVERGED", detail: "b.txt is gone" });
});

it("folders with files that Node does not read at once are compared all the same, and links by where they lead", () => {
  for (const side of ["was", "is"]) truncateSync(place(`${side}/large.bin`, ""), 2_200_000_000);
  const likeness = (): Likeness =>
    compareContents(join(folder, "was"), join(folder, "is"), { name: "it", tolerance: 0 });
  expect(likeness()).toMatchObject({ verdict: "IDENTICAL" });
  truncateSync(join(folder, "is/large.bin"), 2_200_000_001);
  expect(likeness()).toEqual({ verdict: "DIVERGED", detail: "large.bin: the bytes differ" });
  for (const side of ["was", "is"]) truncateSync(join(folder, side, "large.bin"));
  for (const side of ["was", "is"]) symlinkSync("nowhere", join(folder, side, "link"));
  expect(likeness()).toMatchObject({ verdict: "IDENTICAL" });
  rmSync(join(folder, "is/link"));
  place("is/link", "nowhere");
  expect(likeness()).toEqual({ verdict: "DIVERGED", detail: "link: is a file, and was a link to nowhere" });
});
