import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import type { Logger } from "pino";
import { VariscaleError } from "../domain/errors.ts";
import { limitConnections } from "./connection-limits.ts";
import type { GrpcServer } from "./grpc-server.ts";
import type { TlsFolder } from "./tls-folder.ts";
import { HANDSHAKE_WITHIN_MS } from "./tls-material.ts";

const UNREAD_ANSWER_MS = 30_000;

export interface GrpcPortOptions {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  /** Both sides show certificates, and renewed ones are used for new connections; the port speaks plaintext where it is null. */
  readonly tls: TlsFolder | null;
  readonly maxConnections: number;
  readonly logger: Logger;
  /** Makes the server that answers; called with the first connection. */
  readonly load: () => Promise<GrpcServer>;
}

/** A port whose connections are bounded and handed to a gRPC server. */
export class GrpcPort {
  readonly #options: GrpcPortOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #grpc: Promise<GrpcServer> | null = null;

  private constructor(options: GrpcPortOptions) {
    this.#options = options;
    const { tls, maxConnections } = options;
    this.#server = tls ? this.#listenSecurely(tls) : createServer({ noDelay: true }, socket => this.#accept(socket));
    limitConnections(this.#server, { maxConnections, unreadAnswerMs: UNREAD_ANSWER_MS });
  }

  /** Throws failed_precondition for a port that is taken. */
  static async start(options: GrpcPortOptions): Promise<GrpcPort> {
    const { host, port } = options;
    const started = new GrpcPort(options);
    await new Promise<void>((resolve, reject) => {
      started.#server.once("error", error => {
        const message = `cannot listen on ${host}:${port}: ${error.message}. Free the port or choose another one.`;
        reject(new VariscaleError("failed_precondition", message, { cause: error }));
      });
      started.#server.listen(port, host, resolve);
    });
    return started;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Takes no new connections, answers what was asked for at most `graceMs`, then cuts what is left. */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()));
    const grpc = await this.#grpc?.catch(() => null);
    await grpc?.close(graceMs);
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #listenSecurely(tls: TlsFolder): Server {
    let { context } = tls.material;
    const fixed: TlsOptions = {
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: HANDSHAKE_WITHIN_MS,
      ALPNProtocols: ["h2"],
    };
    const server = createTlsServer({ ...fixed, ...context, noDelay: true }, socket => this.#accept(socket));
    tls.watch(() => {
      if (tls.material.context === context) return;
      ({ context } = tls.material);
      server.setSecureContext({ ...fixed, ...context });
    });
    return server;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    this.#grpc ??= this.#options.load();
    this.#grpc.then(
      grpc => grpc.accept(socket),
      (error: unknown) => {
        this.#options.logger.error({ err: error }, "gRPC can't be loaded");
        this.#grpc = null;
        socket.destroy();
      },
    );
  }
}
