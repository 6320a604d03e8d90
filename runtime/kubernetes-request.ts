import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { VariscaleError } from "../domain/errors.ts";
import type { KubernetesConfig } from "./kubernetes-config.ts";
import { errorOfConnection } from "./kubernetes-error.ts";
import { packageVersion } from "./version.ts";

export interface KubernetesRequest {
  /** For messages. */
  readonly what: string;
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** With its query. */
  readonly path: string;
  readonly contentType?: string;
  readonly body?: string;
  readonly signal: AbortSignal;
}

/** Opens requests to one API server over kept connections. */
export class KubernetesConnections {
  readonly config: KubernetesConfig;
  readonly #agent: HttpAgent;
  readonly #isTls: boolean;

  constructor(config: KubernetesConfig) {
    this.config = config;
    this.#isTls = new URL(config.server).protocol === "https:";
    // A connection that was idle for longer may be closed by the other side just when it is used again.
    const options = { keepAlive: true, keepAliveMsecs: 15_000, timeout: 30_000 };
    this.#agent = this.#isTls ? new HttpsAgent(options) : new HttpAgent(options);
  }

  /** The answer with its headers; the body is still to come. Throws what errorOfConnection() makes of a failure. */
  async open(request: KubernetesRequest): Promise<IncomingMessage> {
    const { config } = this;
    const { ca, certificate, key, token } = await config.access();
    const url = new URL(config.server + request.path);
    const options = {
      agent: this.#agent,
      method: request.method,
      signal: request.signal,
      headers: {
        accept: "application/json",
        "user-agent": `variscale/${packageVersion}`,
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(request.body === undefined
          ? {}
          : {
              "content-type": request.contentType ?? "application/json",
              "content-length": Buffer.byteLength(request.body),
            }),
      },
      ...(this.#isTls
        ? {
            rejectUnauthorized: config.verify,
            ...(ca === null ? {} : { ca }),
            ...(certificate === null ? {} : { cert: certificate }),
            ...(key === null ? {} : { key }),
            ...(config.serverName === null ? {} : { servername: config.serverName }),
          }
        : {}),
    };
    const send = (isLast: boolean): Promise<IncomingMessage> =>
      new Promise((resolve, reject) => {
        const fail = (error: unknown) => reject(errorOfConnection(request.what, config.server, error));
        let sent: ClientRequest;
        try {
          sent = (this.#isTls ? httpsRequest : httpRequest)(url, options);
        } catch (error) {
          // A certificate or key that is no PEM, or a token that no header can hold.
          return fail(error);
        }
        sent.on("response", resolve);
        sent.on("error", error => {
          const isStale = !isLast && sent.reusedSocket && "code" in error && error.code === "ECONNRESET";
          if (isStale) resolve(send(true));
          else fail(error);
        });
        sent.end(request.body);
      });
    return await send(false);
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** All of a body. Throws resource_exhausted when it has more than `mostBytes`. */
export function readBody(response: IncomingMessage, what: string, mostBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes <= mostBytes) return;
      const message = `Kubernetes: ${what}: the answer has more than ${mostBytes} bytes`;
      reject(new VariscaleError("resource_exhausted", message));
      response.destroy();
    });
    response.on("error", error =>
      reject(new VariscaleError("unavailable", `Kubernetes: ${what}: the answer broke off`, { cause: error })),
    );
    response.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
  });
}
