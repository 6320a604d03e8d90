import { VariscaleError } from "../../domain/errors.ts";
import type { KubernetesConfig } from "../../runtime/kubernetes-config.ts";
import { KubernetesConnections, readBody } from "../../runtime/kubernetes-request.ts";
import { type ClockReading, readClock } from "./clock-reading.ts";

const HTTP_PORT = 8080;
const ANSWER_WITHIN_MS = 5000;
const MOST_BYTES = 32 * 1024 * 1024;

export interface TimedAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly clock: ClockReading | null;
}

/** Asks for a path and reads JSON, with the server's clock. Throws where there is no answer. */
export type Ask = (path: string) => Promise<TimedAnswer>;

/** Asks the API server. */
export async function askKubernetes(config: KubernetesConfig, path: string): Promise<TimedAnswer> {
  const connections = new KubernetesConnections(config);
  const get = (its: string) => {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    return connections.open({ what: `get ${its}`, method: "GET", path: its, signal });
  };
  try {
    // The connection is made before the request whose time counts.
    await readBody(await get("/version"), "get /version", MOST_BYTES);
    const sentMs = Date.now();
    const response = await get(path);
    const clock = readClock(response.headers.date, sentMs, Date.now());
    return {
      status: response.statusCode ?? 0,
      body: parse(await readBody(response, `get ${path}`, MOST_BYTES)),
      clock,
    };
  } finally {
    connections.close();
  }
}

/**
 * The scaler's HTTP port: at `url`, or beside the port that KEDA calls. A name that only the cluster knows is asked for through the API
 * server, which needs the right to get services/proxy.
 *
 * @param url http://host:port; null: port 8080 of the host.
 * @param address host:port, as in a ScaledObject.
 * @param namespace of names without one: where KEDA runs.
 */
export function scalerHttp(url: string | null, address: string, namespace: string, config: KubernetesConfig): Ask {
  if (url !== null) return path => askDirectly(url.replace(/\/+$/, "") + path);
  const host = hostOf(address);
  return async path => {
    try {
      return await askDirectly(`http://${host}:${HTTP_PORT}${path}`);
    } catch (error) {
      const [name, space = namespace, kind = "svc"] = host.split(".");
      const isUnknown = /ENOTFOUND|EAI_AGAIN/.test(causeOf(error));
      if (!isUnknown || kind !== "svc" || !name) throw error;
      return await askKubernetes(config, `/api/v1/namespaces/${space}/services/${name}:${HTTP_PORT}/proxy${path}`);
    }
  };
}

function hostOf(address: string): string {
  return address.replace(/^[a-z]+:\/{2,3}/, "").replace(/:\d+$/, "");
}

async function askDirectly(url: string): Promise<TimedAnswer> {
  try {
    const sentMs = Date.now();
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS), redirect: "error" });
    const clock = readClock(response.headers.get("date") ?? undefined, sentMs, Date.now());
    return { status: response.status, body: parse(await response.text()), clock };
  } catch (error) {
    throw new VariscaleError("unavailable", `${url}: ${causeOf(error)}`, { cause: error });
  }
}

function causeOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${causeOf(cause)}` : message;
}

/** Null: it is no JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
