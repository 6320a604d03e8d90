import { readFile } from "node:fs/promises";
import { VariscaleError } from "../domain/errors.ts";
import { HttpClient } from "../runtime/http-client.ts";
import { HttpFailure } from "../runtime/http-failure.ts";
import { errorOf, type PrometheusAnswer, parseAnswer } from "./prometheus-answer.ts";
import type { PrometheusOptions } from "./prometheus-options.ts";

const MOST_BYTES = 4 * 1024 * 1024;
const MOST_CONNECTIONS = 16;
/** Kept connections that were idle for longer may be closed by the other side just when they are used again. */
const IDLE_MS = 20_000;

export type PrometheusApi = "query" | "query_range";

/** Asks one Prometheus over HTTP, for as many pipelines as there are. */
export interface PrometheusClient {
  readonly options: PrometheusOptions;
  /**
   * @throws VariscaleError resource_exhausted when the answer is too large, unavailable for everything else that keeps it from an
   * answer; the message says what to do and never has a secret in it.
   */
  ask(api: PrometheusApi, parameters: Readonly<Record<string, string>>): Promise<PrometheusAnswer>;
  close(): void;
}

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  readonly text: string;
}

export function openPrometheusClient(options: PrometheusOptions): PrometheusClient {
  const client = new HttpClient({ idleMs: IDLE_MS, maxConnections: MOST_CONNECTIONS });
  // A proxy that lets reads alone through, or an old server.
  let method: "POST" | "GET" = "POST";
  return {
    options,
    ask: async (api, parameters) => {
      const form = new URLSearchParams({ ...parameters, timeout: `${options.timeoutMs}ms` }).toString();
      const path = `${options.url}/api/v1/${api}`;
      let answer = await send(client, options, { method, path, form });
      if (method === "POST" && (answer.status === 405 || answer.status === 501)) {
        answer = await send(client, options, { method: "GET", path, form });
        if (answer.status === 200) method = "GET";
      }
      if (answer.status !== 200) throw refusal(answer);
      return parseAnswer(answer.text);
    },
    close: () => client.close(),
  };
}

interface Question {
  readonly method: "POST" | "GET";
  /** A whole address without a query. */
  readonly path: string;
  readonly form: string;
}

async function send(client: HttpClient, options: PrometheusOptions, { method, path, form }: Question): Promise<Answer> {
  const { timeoutMs, tenant, caFile } = options;
  const isPost = method === "POST";
  // The CA file is read for every query, so that certificates that are rotated are followed.
  const ca = caFile === null ? null : await readText("caFile", caFile);
  const call = {
    method,
    url: new URL(isPost ? path : `${path}?${form}`),
    headers: {
      accept: "application/json",
      ...(await credentialsOf(options)),
      ...(tenant !== null && { "x-scope-orgid": tenant }),
      ...(isPost && { "content-type": "application/x-www-form-urlencoded" }),
    },
    ...(isPost && { body: form }),
    tls: ca === null ? null : { ca, certificate: null, key: null, serverName: null, verify: true },
    timeoutMs,
    maxBytes: MOST_BYTES,
  };
  try {
    const { status, headers, body } = await client.request(call);
    return { status, location: headers.location, text: body.toString("utf8") };
  } catch (thrown) {
    if (!(thrown instanceof HttpFailure)) throw VariscaleError.from(thrown, "unavailable");
    if (thrown.kind !== "tooLarge") throw new VariscaleError("unavailable", thrown.detail, { cause: thrown });
    const message = `${thrown.detail}: select fewer series, or sum them up by a query`;
    throw new VariscaleError("resource_exhausted", message, { cause: thrown });
  }
}

async function credentialsOf({ bearerTokenFile, basicAuth }: PrometheusOptions): Promise<Record<string, string>> {
  if (basicAuth !== null) {
    const pair = `${basicAuth.username}:${basicAuth.password}`;
    return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
  }
  if (bearerTokenFile === null) return {};
  const token = (await readText("bearerTokenFile", bearerTokenFile)).trim();
  if (!/^[\x21-\x7e]{1,65536}$/.test(token))
    throw new VariscaleError("unavailable", `bearerTokenFile ${bearerTokenFile} does not hold one token`);
  return { authorization: `Bearer ${token}` };
}

async function readText(option: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (thrown) {
    const { message } = VariscaleError.from(thrown);
    throw new VariscaleError("unavailable", `${option} ${path} can't be read: ${message}`, { cause: thrown });
  }
}

function refusal({ status, location, text }: Answer): VariscaleError {
  const said = errorOf(text);
  const because = said === null ? "" : `: ${said}`;
  if (status >= 300 && status < 400)
    return new VariscaleError(
      "unavailable",
      `answered with a redirect to \`${location ?? "nowhere"}\` (status ${status}), which is not followed: configure the address that it leads to`,
    );
  if (status === 401 || status === 403)
    return new VariscaleError("unavailable", `refused the credentials (status ${status})${because}`);
  return new VariscaleError("unavailable", `answered with status ${status}${because}`);
}
