/**
 * What the function of a TypeScript step is given for its ports: paths, with typed readers for
 * inputs and typed writers for outputs.
 */

/** An input file. */
export interface FileReader {
  /** Absolute path of the file, read-only. */
  readonly path: string;
  bytes(): Promise<Uint8Array>;
  /** The content as UTF-8. */
  text(): Promise<string>;
}

/** An input folder. */
export interface FolderReader {
  /** Absolute path of the folder, read-only. */
  readonly path: string;
  /** Paths of all files below it, relative to it with `/`, sorted. */
  files(): readonly string[];
}

/**
 * An input of rows. Rows are parsed and validated one by one as they are read, so a file of any
 * length fits; a row that its schema refuses stops the step with the row's number and column.
 */
export interface RowReader<Row> extends FileReader, AsyncIterable<Row> {
  /** All rows at once, for data that fits in memory. */
  all(): Promise<Row[]>;
}

/** An input JSON document. */
export interface JsonReader<Content> extends FileReader {
  /** The parsed and validated document. */
  read(): Promise<Content>;
}

/** An output file. */
export interface FileWriter {
  /** Absolute path to write to; its folder exists. */
  readonly path: string;
  write(content: string | Uint8Array): Promise<void>;
}

/** An output folder. */
export interface FolderWriter {
  /** Absolute path of the folder; it exists and is empty. */
  readonly path: string;
}

/** An output of rows; each row is validated before it is written. */
export interface RowWriter<Row> {
  /** Absolute path, for a step that writes the file by other means. */
  readonly path: string;
  /**
   * Writes the file from any sequence of rows, holding one at a time.
   * @returns how many rows were written
   */
  write(rows: Iterable<Row> | AsyncIterable<Row>): Promise<number>;
}

/** An output JSON document, validated before it is written. */
export interface JsonWriter<Content> {
  /** Absolute path, for a step that writes the file by other means. */
  readonly path: string;
  write(content: Content): Promise<void>;
}
