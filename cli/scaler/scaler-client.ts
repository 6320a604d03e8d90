import { z } from "zod";
import { VariscaleError } from "../../domain/errors.ts";
import { formatKey, type PipelineKey } from "../../domain/pipeline.ts";
import { name as nameSchema } from "../../domain/profile-schema.ts";
import { parseHttpAddress } from "../../runtime/http-address.ts";
import { fetchJson } from "../fetch-json.ts";
import { plainText } from "../plain-text.ts";

export interface ScalerAccess {
  /** Of the scaler's HTTP port; may have a path. */
  readonly url: string;
  /** Changes need it, and so do reads under a name of a loopback address that the scaler does not know; null: there is none. */
  readonly token: string | null;
}

type Query = Readonly<Record<string, string | null>>;

const listSchema = z.object({ pipelines: z.array(z.object({ namespace: nameSchema, name: nameSchema })) });
const errorSchema = z.object({ error: z.string() });

/** Longer than the scaler takes to explain a decision. */
const TIMEOUT_MS = 25_000;
const MOST_BYTES = 64 * 1024 * 1024;

/** A running scaler's HTTP API, for commands. What it says is wrong is thrown in its words. */
export class ScalerClient {
  readonly #base: string;
  readonly #token: string | null;

  /** @throws VariscaleError invalid_argument for an address that is none. */
  constructor({ url, token }: ScalerAccess) {
    parseHttpAddress(url, {
      where: "--url",
      example: "http://127.0.0.1:8080",
      isHttpsAllowed: true,
      credentials: "remove them; a token is given with --token-file or in VARISCALE_TOKEN",
    });
    this.#base = `${url.replace(/[?#].*$/, "").replace(/\/+$/, "")}/api/v1/pipelines`;
    this.#token = token;
  }

  /** Of the scaler's list, or of a pipeline. */
  address(key: PipelineKey | null, path = ""): string {
    return `${this.#base}${key === null ? "" : `/${encodeURIComponent(key.namespace)}/${encodeURIComponent(key.name)}`}${path}`;
  }

  async pipelines(): Promise<readonly PipelineKey[]> {
    return (await this.get(null, "", listSchema)).pipelines;
  }

  /** The pipeline of this name; null: the scaler's only one. */
  async pipeline(name: string | null): Promise<PipelineKey> {
    if (name !== null) return parseKey(name);
    const [first, ...others] = await this.pipelines();
    if (first === undefined) throw new VariscaleError("not_found", "the scaler has no pipeline");
    if (others.length === 0) return first;
    const names = [first, ...others].slice(0, 20).map(formatKey).join(", ");
    throw new VariscaleError(
      "invalid_argument",
      `name one of its pipelines: ${names}${others.length > 19 ? ", …" : ""}`,
    );
  }

  get<T>(key: PipelineKey | null, path: string, schema: z.ZodType<T>): Promise<T> {
    return this.#ask("GET", this.address(key, path), null, schema);
  }

  change<T>(
    method: "PUT" | "DELETE",
    key: PipelineKey,
    path: string,
    query: Query,
    body: object | null,
    schema: z.ZodType<T>,
  ): Promise<T> {
    const given = Object.entries(query).flatMap(([name, value]) => (value ? [[name, value] as const] : []));
    const text = new URLSearchParams(Object.fromEntries(given)).toString();
    return this.#ask(method, `${this.address(key, path)}${text === "" ? "" : `?${text}`}`, body, schema);
  }

  async #ask<T>(method: string, url: string, body: object | null, schema: z.ZodType<T>): Promise<T> {
    const { status, answer } = await this.#fetch(method, url, body);
    const parsed = schema.safeParse(answer);
    if (status === 200 && parsed.success) return parsed.data;
    const said = errorSchema.safeParse(answer);
    throw said.success && status >= 400 ? refusal(method, status, url, plainText(said.data.error)) : notOurs(url);
  }

  async #fetch(
    method: string,
    url: string,
    body: object | null,
  ): Promise<{ readonly status: number; readonly answer: unknown }> {
    const shown = this.#token !== null ? { authorization: `Bearer ${this.#token}` } : {};
    try {
      return await fetchJson(url, { method, headers: shown, body, timeoutMs: TIMEOUT_MS, mostBytes: MOST_BYTES });
    } catch (error) {
      const rule = `${url} does not answer: ${VariscaleError.from(error).message}. Is --url the scaler's HTTP port? \`variscale up PIPELINE\` starts one here.`;
      throw new VariscaleError("unavailable", rule, { cause: error });
    }
  }
}

/**
 * `namespace/name`; a name alone is one of namespace `default`.
 *
 * @throws VariscaleError invalid_argument.
 */
export function parseKey(text: string): PipelineKey {
  const [namespace, name, ...more] = text.includes("/") ? text.split("/") : ["default", text];
  const isName = (part: string | undefined): part is string => nameSchema.safeParse(part).success;
  if (isName(namespace) && isName(name) && more.length === 0) return { namespace, name };
  throw new VariscaleError("invalid_argument", `${text.slice(0, 100)}: must be namespace/name, as in default/id-card`);
}

function refusal(method: string, status: number, url: string, said: string): VariscaleError {
  if (status === 400) return new VariscaleError("invalid_argument", said);
  if (status === 404) return new VariscaleError("not_found", `${url}: ${said}`);
  if (status === 401 && method === "GET")
    return new VariscaleError("permission_denied", `${said}. Commands take it from VARISCALE_TOKEN`);
  if (status === 401)
    return new VariscaleError(
      "permission_denied",
      "the scaler takes changes only with its token, and this one it does not know or there is none: give it with --token-file FILE or in VARISCALE_TOKEN. The chart keeps it in the Secret FULLNAME-scaler-token; `helm get notes RELEASE` has the command that reads it",
    );
  if (status === 403) return new VariscaleError("permission_denied", said);
  return new VariscaleError("unavailable", `${url} answered ${status}: ${said}`);
}

function notOurs(url: string): VariscaleError {
  return new VariscaleError("unavailable", `${url} gave no answer of a scaler. Is --url the scaler's HTTP port?`);
}
