import type { StandardSchemaV1 } from "@standard-schema/spec";
import { describeIssues } from "./builder.ts";

/** As many issues as are read; a schema that refuses a whole table has one for each row. */
const maxIssues = 10;

/**
 * What an error says. The errors of zod have the JSON of their issues as their message, over many lines, where
 * whatever shows the first line of a message shows a bracket: their issues are told in one line instead.
 */
export function messageOf(error: Error): string {
  const issues = /^\[\s*\{/.test(error.message) ? issuesOf(error) : undefined;
  if (issues === undefined) return error.message;
  const told = describeIssues(issues.slice(0, maxIssues));
  return issues.length > maxIssues ? `${told}; and ${issues.length - maxIssues} more` : told;
}

function issuesOf(error: Error): readonly StandardSchemaV1.Issue[] | undefined {
  const issues: unknown = "issues" in error ? error.issues : undefined;
  return Array.isArray(issues) && issues.every(isIssue) ? issues : undefined;
}

function isIssue(value: unknown): value is StandardSchemaV1.Issue {
  if (typeof value !== "object" || value === null || !("message" in value)) return false;
  const path = "path" in value ? value.path : undefined;
  return typeof value.message === "string" && (path === undefined || Array.isArray(path));
}
