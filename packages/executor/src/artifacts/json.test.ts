import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { InputFile, InputFolder } from "./input-file.ts";
import { InputJson } from "./json-reader.ts";
import { OutputJson } from "./json-writer.ts";
import { JsonlReader } from "./jsonl-reader.ts";
import { JsonlWriter } from "./jsonl-writer.ts";
import { PlainOutput } from "./output-file.ts";
import type { Schema } from "./schema.ts";

let folder: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "mlpipe-json-")));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function file(name: string, content?: string): { port: string; path: string } {
  const path = join(folder, name);
  if (content !== undefined) writeFileSync(path, content);
  return { port: "it", path };
}

const Point = z.object({ x: z.number(), label: z.string().optional() });

describe("jsonl", () => {
  const read = (content: string, schema: Schema = Point): Promise<unknown[]> =>
    new JsonlReader(file("it.jsonl", content), schema).all();

  test("a document a line, with or without a line end at the end", async () => {
    expect(await read('{"x":1}\r\n\n{"x":2,"label":"a\u2028b"}')).toEqual([
      { x: 1 },
      { x: 2, label: "a\u2028b" },
    ]);
    expect(await read("")).toEqual([]);
  });

  test("a line that is not JSON, and a row that its schema refuses", async () => {
    await expect(read('{"x":1}\n\n{"x":2\n')).rejects.toMatchObject({
      code: "MLP3022",
      message: expect.stringMatching(/^Row 2 \(line 3\) of the input it \(.*it\.jsonl\) is not JSON: /),
      at: [{ file: join(folder, "it.jsonl"), line: 3 }],
    });
    await expect(read('{"x":"1"}\n')).rejects.toMatchObject({
      code: "MLP3021",
      message: expect.stringContaining("Row 1 (line 1) of the input it"),
    });
  });

  test("what is written is read again as it was", async () => {
    const Any = z.object({ value: z.json() });
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          // Zod lets no key of this name through, whatever the schema says.
          fc
            .jsonValue()
            .filter((value) => !JSON.stringify(value).includes('"__proto__"'))
            .map((value) => ({ value })),
          { maxLength: 10 },
        ),
        async (rows) => {
          const plain: unknown = JSON.parse(JSON.stringify(rows));
          const place = file("round.jsonl");
          await new JsonlWriter(place, Any).write(rows);
          expect(await new JsonlReader(place, Any).all()).toEqual(plain);
        },
      ),
      { numRuns: 50 },
    );
  });

  test("a value that JSON would change is refused", async () => {
    const writer = new JsonlWriter(file("it.jsonl"), z.object({ at: z.date() }));
    await expect(writer.write([{ at: new Date(0) }])).rejects.toMatchObject({
      code: "MLP3026",
      message: "Row 1 written to it is not JSON: an instance of Date at .at.",
    });
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("json", () => {
  test("is written for people to read, and read back", async () => {
    await new OutputJson(file("it.json"), Point).write({ x: 1 });
    expect(readFileSync(join(folder, "it.json"), "utf8")).toBe('{\n  "x": 1\n}\n');
    expect(await new InputJson(file("it.json"), Point).read()).toEqual({ x: 1 });
  });

  test("what its schema refuses is neither read nor written", async () => {
    await expect(new InputJson(file("it.json", '{"x":"1"}'), Point).read()).rejects.toMatchObject({
      code: "MLP3023",
      message: expect.stringMatching(/^The input it \(.*it\.json\) does not fit its schema: x is "1": /),
    });
    await expect(new OutputJson(file("out.json"), Point).write({ x: Number.NaN })).rejects.toMatchObject({
      code: "MLP3025",
    });
    expect(readdirSync(folder)).toEqual(["it.json"]);
  });

  test("a document that is not JSON", async () => {
    await expect(new InputJson(file("it.json", "{x: 1}"), Point).read()).rejects.toMatchObject({
      code: "MLP3022",
    });
  });
});

describe("files and folders", () => {
  test("a file is written whole, and again", async () => {
    const writer = new PlainOutput(file("it.txt"));
    await writer.write("a longer text");
    await writer.write(new Uint8Array([0xc3, 0xa4]));
    const reader = new InputFile(file("it.txt"));
    expect(await reader.text()).toBe("ä");
    expect(await reader.bytes()).toEqual(Buffer.from([0xc3, 0xa4]));
    expect(readdirSync(folder)).toEqual(["it.txt"]);
  });

  test("the files of a folder, sorted by code unit, with / and through the link to the folder itself", () => {
    for (const inner of ["b", "a/deep", "Z"]) mkdirSync(join(folder, "real", inner), { recursive: true });
    for (const name of ["b/1", "a/deep/x", "a.txt", "Z/0", "ä"])
      writeFileSync(join(folder, "real", name), "");
    symlinkSync(join(folder, "real"), join(folder, "in"));
    expect(new InputFolder({ port: "it", path: join(folder, "in") }).files()).toEqual([
      "Z/0",
      "a.txt",
      "a/deep/x",
      "b/1",
      "ä",
    ]);
  });

  test("links inside a folder: one to a file counts as a file, one that leads in a circle does not hang", () => {
    writeFileSync(join(folder, "one"), "");
    symlinkSync("one", join(folder, "two"));
    symlinkSync(".", join(folder, "circle"));
    expect(new InputFolder({ port: "it", path: folder }).files()).toEqual(["one", "two"]);
  });
});
