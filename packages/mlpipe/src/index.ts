/** What users import: the language, and nothing that costs time to load. */
export * from "@mlpipe/dsl";
