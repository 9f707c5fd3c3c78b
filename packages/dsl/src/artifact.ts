/**
 * What a ref promises. These types are nominal and exist for the compiler alone: no value of
 * them is ever made. They are written as interfaces because an error message then shows
 * `Csv<Day>` and not its structure.
 */

/** Rows as comma-separated text with a header line. */
export interface Csv<Row> {
  readonly artifact: "csv";
  readonly row: Row;
}

/** Rows as one JSON document a line. */
export interface Jsonl<Row> {
  readonly artifact: "jsonl";
  readonly row: Row;
}

/** One JSON document. */
export interface JsonFile<Content> {
  readonly artifact: "json";
  readonly content: Content;
}

/** A file of some format that mlpipe does not look into. */
export interface OpaqueFile<Extension extends string> {
  readonly artifact: "file";
  readonly extension: Extension;
}

/** A folder. */
export interface Folder {
  readonly artifact: "dir";
}

/** A trained model in a named format. */
export interface Model<Format extends string> {
  readonly artifact: "model";
  readonly format: Format;
}

/** Named numbers by which a model is judged; with more names it serves where fewer are wanted. */
export interface Metrics<Name extends string> {
  readonly artifact: "metrics";
  readonly values: { readonly [Each in Name]: number };
}

/** A picture for people. */
export interface Plot {
  readonly artifact: "plot";
}

/** Several of one kind, by key. */
export interface Many<Item> {
  readonly artifact: "many";
  readonly item: Item;
}

/** A model that a gate let pass. */
export type Approved<Passed> = Passed & ApprovedMark;

/** What a gate adds to the type of a model. */
export interface ApprovedMark {
  readonly approved: true;
}
