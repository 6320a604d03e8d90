import { readFile } from "node:fs/promises";
import { Agent as HttpAgent, type IncomingMessage, type RequestOptions, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { VariscaleError } from "../domain/errors.ts";
import { errorOf, type PrometheusAnswer, parseAnswer } from "./prometheus-answer.ts";
import type { PrometheusOptions } from "./prometheus-options.ts";

const MOST_BYTES = 4 * 1024 * 1024;
const MOST_SOCKETS = 16;
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

type Post = (method: "POST" | "GET", path: string, form: string) => Promise<Answer>;

export function openPrometheusClient(options: PrometheusOptions): PrometheusClient {
  const connections = openConnections(options);
  const post = poster(options, connections);
  // A proxy that lets reads alone through, or an old server.
  let method: "POST" | "GET" = "POST";
  return {
    options,
    ask: async (api, parameters) => {
      const form = new URLSearchParams({ ...parameters, timeout: `${options.timeoutMs}ms` }).toString();
      const path = `${options.url}/api/v1/${api}`;
      let answer = await post(method, path, form);
      if (method === "POST" && (answer.status === 405 || answer.status === 501)) {
        answer = await post("GET", path, form);
        if (answer.status === 200) method = "GET";
      }
      if (answer.status !== 200) throw refusal(answer);
      return parseAnswer(answer.text);
    },
    close: connections.close,
  };
}

interface Connections {
  /** For https with a CA file the file is read anew, so that certificates that are rotated are followed. */
  agent(): Promise<HttpAgent>;
  close(): void;
}

function openConnections({ url, caFile }: PrometheusOptions): Connections {
  const limits = { keepAlive: true, maxSockets: MOST_SOCKETS, timeout: IDLE_MS };
  const open = (ca: string | null): HttpAgent => {
    if (!url.startsWith("https:")) return new HttpAgent(limits);
    return new HttpsAgent(ca === null ? limits : { ...limits, ca });
  };
  let current: { readonly ca: string | null; readonly agent: HttpAgent } | null = null;
  let isClosed = false;
  return {
    agent: async () => {
      const ca = caFile === null ? null : await readText("caFile", caFile);
      if (isClosed) throw new VariscaleError("unavailable", "the load source is closed");
      if (current?.ca !== ca || current === null) {
        current?.agent.destroy();
        current = { ca, agent: open(ca) };
      }
      return current.agent;
    },
    close: () => {
      isClosed = true;
      current?.agent.destroy();
    },
  };
}

function poster(options: PrometheusOptions, connections: Connections): Post {
  const send = async (method: "POST" | "GET", path: string, form: string): Promise<Answer> => {
    const headers: Record<string, string> = { accept: "application/json", ...(await credentialsOf(options)) };
    if (options.tenant !== null) headers["x-scope-orgid"] = options.tenant;
    const agent = await connections.agent();
    if (method === "GET") return exchange(`${path}?${form}`, { method, headers, agent }, "", options.timeoutMs);
    headers["content-type"] = "application/x-www-form-urlencoded";
    headers["content-length"] = String(Buffer.byteLength(form));
    return exchange(path, { method, headers, agent }, form, options.timeoutMs);
  };
  return async (method, path, form) => {
    try {
      return await send(method, path, form);
    } catch (thrown) {
      if (!(thrown instanceof StaleConnection)) throw thrown;
      return await send(method, path, form);
    }
  };
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

/** A kept connection was closed by the other side just when it was used again. */
class StaleConnection extends Error {}

function exchange(url: string, options: RequestOptions, body: string, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const start = url.startsWith("https:") ? requestHttps : requestHttp;
    const request = start(url, { ...options, signal }, response => {
      const tooLarge = () =>
        request.destroy(
          new VariscaleError(
            "resource_exhausted",
            `the answer has more than ${MOST_BYTES} bytes: select fewer series, or sum them up by a query`,
          ),
        );
      collect(response, tooLarge).then(
        text => resolve({ status: response.statusCode ?? 0, location: response.headers.location, text }),
        reject,
      );
    });
    request.on("error", error => {
      if (signal.aborted) return reject(new VariscaleError("unavailable", `no answer within ${timeoutMs} ms`));
      const isStale = request.reusedSocket && "code" in error && error.code === "ECONNRESET";
      reject(isStale ? new StaleConnection() : VariscaleError.from(error, "unavailable"));
    });
    request.end(body);
  });
}

/** The body; never settles when it is too large: the request then fails. */
function collect(response: IncomingMessage, tooLarge: () => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MOST_BYTES) return tooLarge();
      chunks.push(chunk);
    });
    response.on("end", () => resolve(Buffer.concat(chunks).toString()));
    response.on("error", error => reject(VariscaleError.from(error, "unavailable")));
  });
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
