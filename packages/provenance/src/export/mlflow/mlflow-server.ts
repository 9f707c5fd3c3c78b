/** Speaking with a tracking server of MLflow over its REST API, configured as MLflow's own clients are. */
import { openAsBlob } from "node:fs";
import { withoutCredentials } from "../../git.ts";
import { redacted, secretValues } from "../../redact.ts";

/** Where a server is, and how it lets us in. */
export interface MlflowAddress {
  /** Without credentials and without a slash at its end; may have a path. */
  readonly url: string;
  readonly authorization: string | undefined;
  /** What must appear in nothing that is said. */
  readonly secrets: readonly string[];
}

/** What a server answered to a request that it did not take. */
export class MlflowRefusal extends Error {
  readonly status: number;
  /** MLflow's own word: `RESOURCE_DOES_NOT_EXIST`. Empty if it was not MLflow that answered. */
  readonly code: string;

  constructor(message: string, status: number, code: string) {
    super(message);
    this.name = "MlflowRefusal";
    this.status = status;
    this.code = code;
  }
}

/** Any answer as JSON; whoever reads it looks at what is there. */
export type MlflowAnswer = Readonly<Record<string, unknown>>;

/** Longer than any request should take. */
const patienceMs = 20_000;

/** A file may take longer: as long as it needs at this pace. */
const slowestBytesPerMs = 256;

/** A server that answers without an end must not fill the memory. */
const largestAnswer = 64 * 1024 * 1024;

/**
 * The server that a URL means. Credentials are those of the URL, else `MLFLOW_TRACKING_USERNAME` with
 * `MLFLOW_TRACKING_PASSWORD`, else `MLFLOW_TRACKING_TOKEN`.
 *
 * @returns nothing for what is no address of a server
 */
export function mlflowAddress(url: string, env: NodeJS.ProcessEnv): MlflowAddress | undefined {
  if (!URL.canParse(url)) return undefined;
  const { protocol, origin, pathname, username, password } = new URL(url);
  if (protocol !== "http:" && protocol !== "https:") return undefined;
  const {
    MLFLOW_TRACKING_USERNAME: user,
    MLFLOW_TRACKING_PASSWORD: word,
    MLFLOW_TRACKING_TOKEN: token,
  } = env;
  const given = username === "" ? undefined : ([username, password].map(decoded) as [string, string]);
  const pair = given ?? (user && word ? ([user, word] as const) : undefined);
  const basic = pair && Buffer.from(pair.join(":")).toString("base64");
  return {
    url: `${origin}${pathname.replace(/\/+$/, "")}`,
    authorization: basic === undefined ? token && `Bearer ${token}` : `Basic ${basic}`,
    secrets: secretValues([pair?.[1] ?? "", password, basic ?? "", token ?? ""]),
  };
}

/** One server. */
export class MlflowServer {
  readonly #address: MlflowAddress;
  readonly #signal: AbortSignal | undefined;

  /** @param signal gives up on whatever is under way */
  constructor(address: MlflowAddress, signal?: AbortSignal) {
    this.#address = address;
    this.#signal = signal;
  }

  get url(): string {
    return this.#address.url;
  }

  async get(path: string, query: Readonly<Record<string, string>>): Promise<MlflowAnswer> {
    return this.#json("GET", `${path}?${new URLSearchParams(query).toString()}`);
  }

  async post(path: string, body: unknown): Promise<MlflowAnswer> {
    return this.#json("POST", path, body);
  }

  async patch(path: string, body: unknown): Promise<MlflowAnswer> {
    return this.#json("PATCH", path, body);
  }

  /**
   * Whether files of a place can be handed to the server: not where it has clients write to a bucket or a disk themselves.
   *
   * @param uri as the server names the place: `mlflow-artifacts:/1/…/artifacts`
   */
  takesFilesAt(uri: string): boolean {
    return proxied(uri) !== undefined;
  }

  /** Uploads a file, in pieces: no file is ever in memory as a whole. */
  async upload(
    file: string,
    size: number,
    place: { readonly uri: string; readonly path: string },
  ): Promise<void> {
    const root = proxied(place.uri);
    if (root === undefined) throw new Error(`${place.uri} takes no files`);
    const path = [...root.split("/"), ...place.path.split("/")].filter((part) => part !== "");
    await this.#fetch(
      "PUT",
      `/api/2.0/mlflow-artifacts/artifacts/${path.map(encodeURIComponent).join("/")}`,
      {
        body: await openAsBlob(file),
        type: "application/octet-stream",
        patience: patienceMs + Math.ceil(size / slowestBytesPerMs),
      },
    );
  }

  async #json(method: string, path: string, body?: unknown): Promise<MlflowAnswer> {
    const text = await this.#fetch(method, `/api/2.0/mlflow/${path}`, {
      ...(body !== undefined && { body: JSON.stringify(body) }),
      type: "application/json",
      patience: patienceMs,
    });
    const answer = parsed(text);
    if (answer === undefined) {
      throw new MlflowRefusal(
        this.#safe(`${this.url} is no server of MLflow: it answered ${brief(text)}`),
        200,
        "",
      );
    }
    return answer;
  }

  async #fetch(
    method: string,
    path: string,
    {
      body,
      type,
      patience,
    }: { readonly body?: string | Blob; readonly type: string; readonly patience: number },
  ): Promise<string> {
    const { url, authorization } = this.#address;
    const limit = AbortSignal.timeout(patience);
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${url}${path}`, {
        method,
        headers: {
          ...(body !== undefined && { "content-type": type }),
          ...(authorization && { authorization }),
        },
        ...(body !== undefined && { body }),
        // Somebody who can answer with a redirection could have the token sent elsewhere.
        redirect: "error",
        signal: this.#signal === undefined ? limit : AbortSignal.any([limit, this.#signal]),
      });
      text = await bounded(response);
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const reason = cause instanceof Error ? cause.message || cause.name : String(cause);
      throw new Error(this.#safe(`no answer from ${url}: ${reason}`), { cause: error });
    }
    if (response.ok) return text;
    const { error_code: code, message } = parsed(text) ?? {};
    const said = typeof message === "string" ? message : text;
    const reason = said.trim() === "" ? "" : `: ${brief(said)}`;
    throw new MlflowRefusal(
      this.#safe(`${url} answered ${response.status} ${response.statusText}${reason}`),
      response.status,
      typeof code === "string" ? code : "",
    );
  }

  /** What others answer is shown on a terminal, and may repeat what it was asked with. */
  #safe(text: string): string {
    const shown = withoutCredentials(text).replace(/\p{Cc}/gu, " ");
    return this.#address.secrets.reduce((rest, secret) => rest.replaceAll(secret, redacted), shown);
  }
}

/** Where the server takes files for a place: the path behind its proxy; nothing if it does not. */
function proxied(uri: string): string | undefined {
  return /^mlflow-artifacts:(?:\/\/[^/]*)?\/(.*)$/.exec(uri)?.[1];
}

/** A page of HTML says little, and that at length. */
function brief(text: string): string {
  const plain = /^\s*</.test(text)
    ? text.replace(/<(style|script)\b[\s\S]*?<\/\1\s*>/gi, " ").replace(/<[^>]*>/g, " ")
    : text;
  return plain.replace(/\s+/g, " ").trim().slice(0, 200);
}

function parsed(text: string): MlflowAnswer | undefined {
  try {
    const value: unknown = JSON.parse(text);
    // What is in it is looked at as unknown.
    return typeof value === "object" && value !== null ? (value as MlflowAnswer) : undefined;
  } catch {
    return undefined;
  }
}

async function bounded(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > largestAnswer) throw new Error("the answer is too long");
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
