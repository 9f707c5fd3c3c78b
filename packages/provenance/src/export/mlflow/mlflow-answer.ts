/** Looking into what a server answered. What is not there is empty: the next request tells what that means. */
import type { MlflowAnswer } from "./mlflow-server.ts";

/** An object in an answer. */
export function record(answer: MlflowAnswer, name: string): MlflowAnswer {
  const value = answer[name];
  // What is in it is looked at as unknown.
  return typeof value === "object" && value !== null ? (value as MlflowAnswer) : {};
}

/** A list of objects in an answer. */
export function list(answer: MlflowAnswer, name: string): readonly MlflowAnswer[] {
  const value: unknown = answer[name];
  if (!Array.isArray(value)) return [];
  return value.filter((each): each is MlflowAnswer => typeof each === "object" && each !== null);
}

/** A text in an answer; numbers are texts in some versions. */
export function text(answer: MlflowAnswer, name: string): string {
  const value = answer[name];
  return typeof value === "string" ? value : typeof value === "number" ? `${value}` : "";
}

/** Tags as they come: a list of keys and values. */
export function tagsOf(answer: MlflowAnswer): ReadonlyMap<string, string> {
  return new Map(list(answer, "tags").map((tag) => [text(tag, "key"), text(tag, "value")]));
}
