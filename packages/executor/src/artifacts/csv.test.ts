import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { CsvReader } from "./csv-reader.ts";
import { CsvWriter } from "./csv-writer.ts";
import type { Schema } from "./schema.ts";

let folder: string;
let files = 0;

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "mlpipe-csv-")));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function place(): { port: string; path: string } {
  const inner = join(folder, String(files++));
  mkdirSync(inner);
  return { port: "days", path: join(inner, "days.csv") };
}

function reader(content: string | Uint8Array, schema: Schema): CsvReader {
  const where = place();
  writeFileSync(where.path, content);
  return new CsvReader(where, schema);
}

async function read(content: string | Uint8Array, schema: Schema): Promise<unknown[]> {
  return reader(content, schema).all();
}

async function written(rows: Iterable<unknown> | AsyncIterable<unknown>, schema: Schema): Promise<string> {
  const where = place();
  await new CsvWriter(where, schema).write(rows);
  return readFileSync(where.path, "utf8");
}

const Day = z.object({ date: z.string(), tempMax: z.number() });

describe("a field becomes what its column asks for", () => {
  test("numbers and booleans where the schema has them, and strings stay as they are", async () => {
    const Row = z.object({ id: z.string(), x: z.number(), n: z.int(), on: z.boolean() });
    expect(await read("id,x,n,on\n007,3.50,-2,true\n1e3,1e3,7,false\n", Row)).toEqual([
      { id: "007", x: 3.5, n: -2, on: true },
      { id: "1e3", x: 1000, n: 7, on: false },
    ]);
  });

  test("an empty field is absent, null or an empty string, whichever the column may be", async () => {
    const Row = z.object({
      a: z.number().optional(),
      b: z.number().nullable(),
      c: z.string(),
      d: z.string().nullish(),
    });
    expect(await read("a,b,c,d\n,,,\n", Row)).toEqual([{ b: null, c: "" }]);
  });

  test("a default stands in for an empty field", async () => {
    expect(await read("x,y\n,1\n", z.object({ x: z.number().default(5), y: z.number() }))).toEqual([
      { x: 5, y: 1 },
    ]);
  });

  test("an empty number is an error, also where the schema would coerce it to 0", async () => {
    for (const x of [z.number(), z.coerce.number()]) {
      await expect(read("x,y\n1,a\n,b\n", z.object({ x, y: z.string() }))).rejects.toThrow(
        "Row 2 (line 3) of the input days (",
      );
    }
  });

  test("Infinity, NaN and hex are no numbers", async () => {
    for (const field of ["Infinity", "NaN", "0x10", "1_000", "1,5"]) {
      await expect(read(`x\n"${field}"\n`, z.object({ x: z.number() }))).rejects.toMatchObject({
        code: "MLP3021",
      });
    }
  });

  test("a marker beside numbers stays a marker", async () => {
    const Row = z.object({ x: z.union([z.number(), z.literal("NA")]), l: z.literal([1, 2]) });
    expect(await read("x,l\n1.5,2\nNA,1\n", Row)).toEqual([
      { x: 1.5, l: 2 },
      { x: "NA", l: 1 },
    ]);
  });

  test("schemas that refer, join and choose are understood", async () => {
    const Amount = z.number().meta({ id: "Amount" });
    const Row = z.discriminatedUnion("kind", [
      z.object({ kind: z.literal("in"), amount: Amount }),
      z.object({ kind: z.literal("out"), amount: Amount, to: z.string() }),
    ]);
    expect(await read("kind,amount,to\nin,1,\nout,2,007\n", Row)).toEqual([
      { kind: "in", amount: 1 },
      { kind: "out", amount: 2, to: "007" },
    ]);
    const Joined = z.intersection(z.object({ a: z.number() }), z.object({ b: z.boolean() }));
    expect(await read("a,b\n1,true\n", Joined)).toEqual([{ a: 1, b: true }]);
  });

  test("as many columns as there are, all of one type", async () => {
    const Features = z.record(z.string(), z.number());
    const rows = [
      { f0: 1, f1: 0.5 },
      { f0: 2, f1: 3 },
    ];
    const content = await written(rows, Features);
    expect(content).toBe("f0,f1\n1,0.5\n2,3\n");
    expect(await read(content, Features)).toEqual(rows);
    const Known = z.object({ id: z.string() }).catchall(z.number());
    expect(await read("id,f0,f1\n007,1,\n", Known)).toEqual([{ id: "007", f0: 1 }]);
  });

  test("a number that would lose digits is refused, one that keeps its value is not", async () => {
    const Row = z.object({ id: z.number() });
    await expect(read("id\n12345678901234567890\n", Row)).rejects.toThrow(
      "more digits than a number can hold",
    );
    expect(await read("id\n1152921504606846976\n1152921504606847000\n", Row)).toEqual([
      { id: 2 ** 60 },
      { id: 2 ** 60 },
    ]);
  });

  test("one date in a row leaves its other columns their types", async () => {
    const Row = z.object({ at: z.coerce.date(), x: z.number() });
    expect(await read("at,x\n2020-01-02,3\n", Row)).toEqual([{ at: new Date("2020-01-02"), x: 3 }]);
  });

  test("a schema that does not describe itself gets strings", async () => {
    const bare: Schema = { "~standard": { version: 1, vendor: "own", validate: (value) => ({ value }) } };
    expect(await read("a,b\n1,\n", bare)).toEqual([{ a: "1", b: "" }]);
  });

  test("a schema that answers later is waited for", async () => {
    const Later = z.object({ x: z.number().refine((x) => Promise.resolve(x > 0), "must be positive") });
    expect(await read("x\n1\n", Later)).toEqual([{ x: 1 }]);
    await expect(read("x\n1\n-1\n", Later)).rejects.toThrow("x is -1: must be positive");
  });
});

describe("what files bring along", () => {
  test("a byte order mark, Windows line ends, blank lines, and no line end at the end", async () => {
    expect(await read("\uFEFFdate,tempMax\r\na,1\r\n\r\nb,2", Day)).toEqual([
      { date: "a", tempMax: 1 },
      { date: "b", tempMax: 2 },
    ]);
  });

  test("commas, quotes and line ends in quotes", async () => {
    expect(await read('date,tempMax\n"a,""b""\nc",1\n', Day)).toEqual([{ date: 'a,"b"\nc', tempMax: 1 }]);
  });

  test("columns the schema does not know are left to it", async () => {
    const content = "x,date,tempMax\n1,a,2\n";
    expect(await read(content, Day)).toEqual([{ date: "a", tempMax: 2 }]);
    expect(await read(content, z.looseObject(Day.shape))).toEqual([{ x: "1", date: "a", tempMax: 2 }]);
  });

  test("no rows at all", async () => {
    expect(await read("date,tempMax\n", Day)).toEqual([]);
  });

  test("characters that lie across the border of two chunks", async () => {
    const rows = Array.from({ length: 40_000 }, (_, index) => `ä€😀${index},${index}`);
    const all = await read(`date,tempMax\n${rows.join("\n")}\n`, Day);
    expect(all).toHaveLength(40_000);
    expect(all[39_999]).toEqual({ date: "ä€😀39999", tempMax: 39_999 });
  });

  test("a reader can be read twice, and be left early", async () => {
    const days = reader("date,tempMax\na,1\nb,2\n", Day);
    for await (const day of days) {
      expect(day).toEqual({ date: "a", tempMax: 1 });
      break;
    }
    expect(await days.all()).toHaveLength(2);
  });
});

describe("a file that is not right", () => {
  test("the row, the line and the column that the schema refuses are named", async () => {
    const days = reader('date,tempMax\n"two\nlines",1\nb,warm\n', Day);
    await expect(days.all()).rejects.toMatchObject({
      code: "MLP3021",
      message: expect.stringMatching(
        /^Row 2 \(line 4\) of the input days \(.*days\.csv\) does not fit its schema: tempMax is "warm": Invalid input: expected number/,
      ),
      at: [{ file: days.path, line: 4, column: 1 }],
    });
  });

  test.each([
    [
      "a field too few",
      "date,tempMax\na,1\nb\n",
      /^Row 2 \(line 3\) .* has 1 field, and the header has 2\.$/,
    ],
    [
      "a field too many",
      "date,tempMax\na,1,2\n",
      /^Row 1 \(line 2\) .* has 3 fields, and the header has 2\.$/,
    ],
    ["a column missing", "date,temp\na,1\n", /has no column "tempMax"; it has "date", "temp"\.$/],
    ["a column twice", "date,tempMax,date\n", /has the column "date" twice\.$/],
    ["a quote left open", 'date,tempMax\n"a,1\nb,2\n', /opened and never closed\.$/],
    ["text behind a quote", 'date,tempMax\n"a"b,1\n', /^Line 2 .* text behind a closing quote\.$/],
    ["a quote in a bare field", 'date,tempMax\na"b,1\n', /^Line 2 .* a quote within a bare field\.$/],
    ["nothing at all", "", /^There is no header line/],
  ])("%s", async (_what, content, message) => {
    await expect(read(content, Day)).rejects.toMatchObject({
      code: "MLP3020",
      message: expect.stringMatching(message),
      hint: expect.any(String),
    });
  });

  test.each([";", "\t"])("another separator is named: %j", async (separator) => {
    await expect(read(`date${separator}tempMax\na${separator}1\n`, Day)).rejects.toMatchObject({
      code: "MLP3020",
      hint: expect.stringContaining(`separated by commas, and these by ${JSON.stringify(separator)}`),
    });
  });

  test("bytes that are not UTF-8, with their line", async () => {
    const latin1 = Buffer.from("date,tempMax\na,1\nZürich,2\n", "latin1");
    await expect(read(latin1, Day)).rejects.toMatchObject({
      code: "MLP3024",
      message: expect.stringMatching(/^Line 3 of the input days/),
    });
    await expect(reader(latin1, Day).text()).rejects.toMatchObject({ code: "MLP3024" });
  });

  test("lines are counted as an editor does, whatever ends them", async () => {
    await expect(read('date,tempMax\r\n"a\r\nb",1\r\n\r\nc,1\r\n"d\re",x\r\n', Day)).rejects.toThrow(
      "Row 3 (line 6)",
    );
  });

  test("a file that is not there is an error of the system", async () => {
    await expect(new CsvReader(place(), Day).all()).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("what is written", () => {
  test("columns in the order of the schema, numbers short, gaps empty, quotes where they must be", async () => {
    const Row = z.object({ s: z.string(), x: z.number().nullable(), on: z.boolean().optional() });
    const rows = [
      { on: true, s: 'a,"b"', x: 0.1 + 0.2 },
      { s: "1\r2", x: null },
      { s: "", x: -0, on: false },
      { s: "=1+1", x: 1e21 },
    ];
    expect(await written(rows, Row)).toBe(
      's,x,on\n"a,""b""",0.30000000000000004,true\n"1\r2",,\n,0,false\n=1+1,1e+21,\n',
    );
  });

  test("the header alone where there are no rows", async () => {
    expect(await written([], Day)).toBe("date,tempMax\n");
  });

  test("an empty field that is the whole row stays a row", async () => {
    const Row = z.object({ s: z.string() });
    const content = await written([{ s: "" }, { s: "a" }], Row);
    expect(content).toBe('s\n""\na\n');
    expect(await read(content, Row)).toEqual([{ s: "" }, { s: "a" }]);
  });

  test("defaults are filled in, and properties that the schema strips are not written", async () => {
    const Row = z.object({ a: z.number().default(7), b: z.string() });
    expect(await written([{ b: "x", c: [1] }], Row)).toBe("a,b\n7,x\n");
  });

  test("a schema that converts is applied once, by the reader", async () => {
    const Row = z.object({ celsius: z.string().transform((text) => Number(text) + 1) });
    const content = await written([{ celsius: "1" }], Row);
    expect(content).toBe("celsius\n1\n");
    expect(await read(content, Row)).toEqual([{ celsius: 2 }]);
  });

  test("without a description and without rows, nothing", async () => {
    const bare: Schema = { "~standard": { version: 1, vendor: "own", validate: (value) => ({ value }) } };
    expect(await written([], bare)).toBe("");
  });

  test("without a description, the first row names the columns", async () => {
    const bare: Schema = { "~standard": { version: 1, vendor: "own", validate: (value) => ({ value }) } };
    expect(await written([{ b: 1, a: 2 }, { a: 3 }], bare)).toBe("b,a\n1,2\n,3\n");
    await expect(written([{ a: 1 }, { a: 1, z: 2 }], bare)).rejects.toMatchObject({
      code: "MLP3026",
      message: "Row 2 written to days has the property z, and there is no such column.",
    });
  });

  test("where the schema lets further columns through, the first row names them", async () => {
    const Loose = z.looseObject(Day.shape);
    expect(await written([{ rain: 2, date: "a", tempMax: 1 }], Loose)).toBe("date,tempMax,rain\na,1,2\n");
    const rows = [
      { date: "a", tempMax: 1 },
      { date: "a", tempMax: 1, rain: 2 },
    ];
    await expect(written(rows, Loose)).rejects.toMatchObject({
      code: "MLP3026",
      message: "Row 2 written to days has the property rain, and there is no such column.",
    });
  });

  test("no rows of a schema that names no columns are no rows again", async () => {
    const Features = z.record(z.string(), z.number());
    expect(await read(await written([], Features), Features)).toEqual([]);
  });

  test("a row that the schema refuses is named, and nothing is left behind", async () => {
    const where = place();
    const rows = [
      { date: "a", tempMax: 1 },
      { date: "b", tempMax: Number.NaN },
    ];
    await expect(new CsvWriter(where, Day).write(rows)).rejects.toMatchObject({
      code: "MLP3025",
      message: expect.stringMatching(/^Row 2 written to days does not fit its schema: tempMax is NaN/),
    });
    expect(readdirSync(join(where.path, ".."))).toEqual([]);
  });

  test.each([
    ["an array", [1, 2], "an array"],
    ["an object", { a: 1 }, "an object (Object)"],
    ["a date", new Date(0), "an object (Date)"],
  ])("%s is no cell", async (_what, value, named) => {
    await expect(written([{ x: value }], z.object({ x: z.any() }))).rejects.toMatchObject({
      code: "MLP3026",
      message: `Row 1 written to days has ${named} as x, which a csv cannot hold.`,
    });
  });

  test("an error of the step's own generator comes through, and no half file stays", async () => {
    const where = place();
    const own = new Error("no more");
    const rows = async function* (): AsyncGenerator {
      for (let index = 0; index < 5000; index++) yield { date: "a", tempMax: index };
      throw own;
    };
    const writer = new CsvWriter(where, Day);
    await expect(writer.write(rows())).rejects.toBe(own);
    expect(readdirSync(join(where.path, ".."))).toEqual([]);
    // Nothing was written, so it may be tried again.
    expect(await writer.write([{ date: "a", tempMax: 1 }])).toBe(1);
  });

  test("a second call would replace the rows of the first, and is refused", async () => {
    const writer = new CsvWriter(place(), Day);
    await writer.write([{ date: "a", tempMax: 1 }]);
    await expect(writer.write([{ date: "b", tempMax: 1 }])).rejects.toMatchObject({ code: "MLP3027" });
  });

  test("two calls at the same time are refused", async () => {
    const writer = new CsvWriter(place(), Day);
    const first = writer.write([{ date: "a", tempMax: 1 }]);
    await expect(writer.write([{ date: "b", tempMax: 1 }])).rejects.toMatchObject({ code: "MLP3027" });
    expect(await first).toBe(1);
  });
});

test("rows that are written are read again as they were", async () => {
  const Row = z.object({
    s: z.string(),
    n: z.number(),
    i: z.int(),
    on: z.boolean(),
    maybe: z.string().optional(),
    none: z.number().nullable(),
    "a column, named": z.string(),
  });
  const text = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.string({
      unit: fc.constantFrom('"', ",", "\n", "\r", "\t", " ", "'", ";", "\uFEFF", "\u2028", "0", "ä", "😀"),
    }),
    fc.constantFrom("007", "1e5", "true", "null", "-", "NaN"),
  );
  const row = fc.record(
    {
      s: text,
      n: fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
      i: fc.maxSafeInteger(),
      on: fc.boolean(),
      maybe: text.filter((value) => value !== ""),
      none: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0)),
      "a column, named": text,
    },
    { requiredKeys: ["s", "n", "i", "on", "none", "a column, named"], noNullPrototype: true },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 20 }), async (rows) => {
      const where = place();
      expect(await new CsvWriter(where, Row).write(rows)).toBe(rows.length);
      expect(await new CsvReader(where, Row).all()).toEqual(rows);
    }),
    { numRuns: 200 },
  );
});
