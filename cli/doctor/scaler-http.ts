import { HttpClient } from "../../runtime/http-client.ts";
import { HttpFailure } from "../../runtime/http-failure.ts";
import type { KubernetesConfig } from "../../runtime/kubernetes-config.ts";
import { KubernetesConnections } from "../../runtime/kubernetes-request.ts";
import type { ScalerAccess } from "../scaler/scaler-client.ts";
import { type ClockReading, readClock } from "./clock-reading.ts";

const HTTP_PORT = 8080;
const ANSWER_WITHIN_MS = 5000;
const MOST_BYTES = 32 * 1024 * 1024;

const httpClient = new HttpClient({ idleMs: 4000 });

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
  const get = (its: string) => connections.ask({ what: `get ${its}`, method: "GET", path: its }, ANSWER_WITHIN_MS);
  try {
    // The connection is made before the request whose time counts.
    await get("/version");
    const sentMs = Date.now();
    const { status, headers, body } = await get(path);
    return { status, body: parse(body.toString("utf8")), clock: readClock(headers.date, sentMs, Date.now()) };
  } finally {
    connections.close();
  }
}

/**
 * The scaler's HTTP port: at `url`, which is shown the token, or beside the port that KEDA calls. A name that only the cluster knows is asked for through the API
 * server, which needs the right to get services/proxy.
 *
 * @param access url: http://host:port; null: port 8080 of the host. An address out of a ScaledObject is shown no token, because all who write ScaledObjects could read it there.
 * @param address host:port, as in a ScaledObject.
 * @param namespace of names without one: where KEDA runs.
 */
export function scalerHttp(
  access: ScalerAccess | null,
  address: string,
  namespace: string,
  config: KubernetesConfig,
): Ask {
  if (access !== null) return path => askDirectly(access.url.replace(/\/+$/, "") + path, access.token);
  const host = hostOf(address);
  return async path => {
    try {
      return await askDirectly(`http://${host}:${HTTP_PORT}${path}`, null);
    } catch (error) {
      const [name, space = namespace, kind = "svc"] = host.split(".");
      const isUnknown = error instanceof HttpFailure && /ENOTFOUND|EAI_AGAIN/.test(error.detail);
      if (!isUnknown || kind !== "svc" || !name) throw error;
      return await askKubernetes(config, `/api/v1/namespaces/${space}/services/${name}:${HTTP_PORT}/proxy${path}`);
    }
  };
}

function hostOf(address: string): string {
  return address.replace(/^[a-z]+:\/{2,3}/, "").replace(/:\d+$/, "");
}

async function askDirectly(url: string, token: string | null): Promise<TimedAnswer> {
  const sentMs = Date.now();
  const headers: Readonly<Record<string, string>> = token === null ? {} : { authorization: `Bearer ${token}` };
  const call = { method: "GET", url: new URL(url), headers, timeoutMs: ANSWER_WITHIN_MS, maxBytes: MOST_BYTES };
  const answer = await httpClient.request(call);
  return {
    status: answer.status,
    body: parse(answer.body.toString("utf8")),
    clock: readClock(answer.headers.date, sentMs, Date.now()),
  };
}

/** Null: it is no JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
