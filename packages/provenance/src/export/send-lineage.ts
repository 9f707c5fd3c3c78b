/** Posting OpenLineage events to whoever listens, configured as other tools that emit them. */
import { withoutCredentials } from "../git.ts";
import type { LineageEvent } from "./openlineage.ts";

/** Where events go. */
export interface LineageEndpoint {
  readonly url: string;
  /** A bearer token; nothing for an endpoint that lets everybody in. */
  readonly apiKey: string | undefined;
}

/** Longer than any endpoint should take, shorter than anybody's patience. */
const patienceMs = 10_000;

/**
 * The endpoint that a URL means: one without a path has its events taken at `api/v1/lineage`, or at what
 * `OPENLINEAGE_ENDPOINT` says.
 */
export function lineageEndpoint(url: string, env: NodeJS.ProcessEnv): LineageEndpoint {
  const base = new URL(url);
  const path = env["OPENLINEAGE_ENDPOINT"] ?? "api/v1/lineage";
  const full = base.pathname === "/" ? new URL(path, base).href : base.href;
  return { url: full, apiKey: env["OPENLINEAGE_API_KEY"] || undefined };
}

/** Posts one event. @throws Error that says what the endpoint answered, or why there was no answer */
export async function sendLineage(
  event: LineageEvent,
  { url, apiKey }: LineageEndpoint,
  signal?: AbortSignal,
): Promise<void> {
  const { username, password } = new URL(url);
  const basic = username === "" ? undefined : Buffer.from(`${username}:${password}`).toString("base64");
  const authorization = apiKey !== undefined ? `Bearer ${apiKey}` : basic && `Basic ${basic}`;
  const limit = AbortSignal.timeout(patienceMs);
  let response: Response;
  try {
    response = await fetch(withoutCredentials(url), {
      method: "POST",
      headers: { "content-type": "application/json", ...(authorization && { authorization }) },
      body: JSON.stringify(event),
      // Somebody who can answer with a redirection could have the token sent elsewhere.
      redirect: "error",
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
    });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new Error(
      `no answer from ${withoutCredentials(url)}: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        cause: error,
      },
    );
  }
  const said = await response.text();
  if (!response.ok) {
    const reason = said.trim() === "" ? "" : `: ${said.trim().slice(0, 200)}`;
    throw new Error(`${withoutCredentials(url)} answered ${response.status} ${response.statusText}${reason}`);
  }
}
