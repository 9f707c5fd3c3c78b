/** What the network answers. */
import type { Use } from "../scan.ts";
import { isPassing } from "../step-facts.ts";
import { callOf, type Rule } from "./rule.ts";

const globals = new Set(["fetch", "WebSocket", "EventSource"]);

/** By module of Node, what connects; servers are no matter. */
const connecting: Readonly<Record<string, RegExp>> = {
  "node:http": /^(?:get|request|WebSocket|EventSource)$/,
  "node:https": /^(?:get|request)$/,
  "node:http2": /^connect$/,
  "node:net": /^(?:connect|createConnection|Socket)$/,
  "node:tls": /^connect$/,
  "node:dgram": /^createSocket$/,
  "node:dns": /^(?:lookup|resolve|reverse)/,
};

/** Packages that do nothing else. */
const clients = new Set(
  "axios cross-fetch got ioredis ky mongodb mysql2 node-fetch ofetch pg postgres redis superagent undici ws"
    .split(" ")
    .map((name) => `npm:${name}`),
);

export const network: Rule = (use, step) => {
  if (!connects(use) || use.isAlias || isPassing(step)) return undefined;
  const what = callOf(use);
  return {
    code: "MLP6104",
    what,
    message: (steps) => `${what} is reached by ${steps}: what the network answers is not part of the key.`,
    hint: 'Say how long an answer holds, cache: { maxAge: "1d" }, or that it does not: cache: false.',
  };
};

function connects({ origin, how }: Use): boolean {
  const [first = "", ...path] = origin;
  if (first === null) return false;
  if (clients.has(first)) return how === "call" || how === "new";
  const name = path.find((part) => part !== "promises");
  return name === undefined ? globals.has(first) : (connecting[first]?.test(name ?? "") ?? false);
}
