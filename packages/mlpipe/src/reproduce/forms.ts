/**
 * Contents without what does not matter in them. A form has a shape, compared as text, and numbers, compared within a
 * tolerance: two files with equal shapes and numbers say the same, however they are written.
 */
import { inflateRawSync } from "node:zlib";
import { isUtf8 } from "node:buffer";
import { parse as parseCsv } from "csv-parse/sync";
import { digestOf } from "@mlpipe/store";

/** What a file says. */
export interface Form {
  /** `JSON`, `CSV`, … */
  readonly name: string;
  readonly shape: string;
  readonly numbers: readonly number[];
  /** Shape and numbers where order does not matter; where it does, nothing. */
  readonly unordered?: string;
}

/** The form of a file, by its bytes and the ending of its name; nothing where none is known. */
export function formOf(bytes: Buffer, name: string): Form | undefined {
  try {
    if (bytes.subarray(0, 4).equals(Buffer.from("PK\u0003\u0004"))) return zipForm(bytes);
    if (isNpy(bytes)) return npyForm(bytes);
    if (name.endsWith(".onnx")) return onnxForm(bytes);
    if (!isUtf8(bytes)) return undefined;
    const text = bytes.toString("utf8");
    if (name.endsWith(".csv")) return csvForm(text);
    if (name.endsWith(".jsonl"))
      return jsonForm("JSON lines", text.split("\n").filter(isFull).map(parseJson));
    return jsonForm("JSON", JSON.parse(text));
  } catch {
    return undefined;
  }
}

function isFull(line: string): boolean {
  return line.trim() !== "";
}

function parseJson(text: string): unknown {
  return JSON.parse(text);
}

function jsonForm(name: string, value: unknown): Form {
  const numbers: number[] = [];
  const shapeOf = (each: unknown): unknown => {
    if (typeof each === "number") {
      numbers.push(each);
      return "#";
    }
    if (Array.isArray(each)) return each.map(shapeOf);
    if (typeof each !== "object" || each === null) return [typeof each, each];
    const sorted = Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return { of: sorted.map(([key, inner]) => [key, shapeOf(inner)]) };
  };
  return { name, shape: JSON.stringify(shapeOf(value)), numbers };
}

function csvForm(text: string): Form {
  // Without `columns` it gives rows of cells.
  const rows = parseCsv(text, { relax_column_count: true, skip_empty_lines: true, bom: true });
  const numbers: number[] = [];
  const shape = rows.map((row) =>
    row.map((cell) => {
      const number = cell.trim() === "" ? Number.NaN : Number(cell);
      if (!Number.isFinite(number)) return ["text", cell];
      numbers.push(number);
      return "#";
    }),
  );
  const [header = [], ...body] = rows.map((row) => JSON.stringify(row.map(asNumberOrText)));
  return {
    name: "CSV",
    shape: JSON.stringify(shape),
    numbers,
    unordered: JSON.stringify([header, body.toSorted()]),
  };
}

function asNumberOrText(cell: string): number | string {
  const number = cell.trim() === "" ? Number.NaN : Number(cell);
  return Number.isFinite(number) ? number : cell;
}

/** A zip by its members: without times, order and compression. An `.npz` is one, and its arrays are compared as such. */
function zipForm(bytes: Buffer): Form {
  const members = zipMembers(bytes).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const numbers: number[] = [];
  const shapes = members.map(({ name, content }) => {
    const array = isNpy(content) ? npyForm(content) : undefined;
    if (array === undefined) return [name, digestOf(content)];
    for (const number of array.numbers) numbers.push(number);
    return [name, array.shape];
  });
  return { name: "the members of a zip", shape: JSON.stringify(shapes), numbers };
}

/** PKWARE APPNOTE 4.3: the central directory at the end names every member. */
function zipMembers(bytes: Buffer): { readonly name: string; readonly content: Buffer }[] {
  const end = bytes.lastIndexOf(Buffer.from("PK\u0005\u0006"));
  if (end === -1) throw new Error("no central directory");
  const count = bytes.readUInt16LE(end + 10);
  let at = bytes.readUInt32LE(end + 16);
  return Array.from({ length: count }, () => {
    const method = bytes.readUInt16LE(at + 10);
    const size = bytes.readUInt32LE(at + 20);
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) =>
      bytes.readUInt16LE(at + offset),
    ) as [number, number, number];
    const local = bytes.readUInt32LE(at + 42);
    const name = bytes.toString("utf8", at + 46, at + 46 + nameLength);
    // Lengths of 4 GiB and more are elsewhere.
    if (size === 0xffff_ffff || local === 0xffff_ffff) throw new Error("zip64");
    at += 46 + nameLength + extraLength + commentLength;
    const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    const packed = bytes.subarray(start, start + size);
    if (method !== 0 && method !== 8) throw new Error("another compression");
    return { name, content: method === 0 ? packed : inflateRawSync(packed) };
  });
}

function isNpy(bytes: Buffer): boolean {
  return bytes.length > 10 && bytes[0] === 0x93 && bytes.toString("latin1", 1, 6) === "NUMPY";
}

/** NumPy's NEP 1: magic, version, header length, a Python dict, then the items. */
function npyForm(bytes: Buffer): Form {
  const wide = (bytes[6] ?? 1) > 1;
  const length = wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8);
  const start = (wide ? 12 : 10) + length;
  const header = bytes.toString("latin1", wide ? 12 : 10, start).trim();
  const type = /'descr':\s*'([^']+)'/.exec(header)?.[1] ?? "";
  const data = bytes.subarray(start);
  const read = npyReaders[type];
  if (read === undefined) return { name: "an array", shape: header + digestOf(data), numbers: [] };
  const [size, item] = read;
  const numbers = Array.from({ length: Math.floor(data.length / size) }, (_, index) =>
    item(data, index * size),
  );
  return { name: "an array", shape: header, numbers };
}

type ItemReader = readonly [size: number, read: (data: Buffer, at: number) => number];

const npyReaders: Readonly<Record<string, ItemReader>> = {
  "<f8": [8, (data, at) => data.readDoubleLE(at)],
  "<f4": [4, (data, at) => data.readFloatLE(at)],
  "<i8": [8, (data, at) => Number(data.readBigInt64LE(at))],
  "<i4": [4, (data, at) => data.readInt32LE(at)],
};

/** `onnx.proto`: the fields of a `ModelProto` that say who made it and when, not what it computes. */
const onnxTold = new Set([2, 3, 6, 14]);

function onnxForm(bytes: Buffer): Form {
  const kept: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const from = at;
    const [tag, afterTag] = varint(bytes, at);
    const wire = tag & 7;
    if (wire === 0) [, at] = varint(bytes, afterTag);
    else if (wire === 1) at = afterTag + 8;
    else if (wire === 5) at = afterTag + 4;
    else if (wire === 2) {
      const [length, start] = varint(bytes, afterTag);
      at = start + length;
    } else throw new Error("no protobuf");
    if (at > bytes.length) throw new Error("no protobuf");
    if (!onnxTold.has(tag >>> 3)) kept.push(bytes.subarray(from, at));
  }
  return { name: "ONNX without its metadata", shape: digestOf(Buffer.concat(kept)), numbers: [] };
}

function varint(bytes: Buffer, from: number): readonly [value: number, next: number] {
  let value = 0;
  let factor = 1;
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return [value, at + 1];
    factor *= 128;
  }
  throw new Error("no protobuf");
}
