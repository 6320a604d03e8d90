import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { limitConnections } from "./connection-limits.ts";
import type { GrpcServer } from "./grpc-server.ts";
import { type ListenOptions, listen } from "./listen.ts";
import type { TlsFolder } from "./tls-folder.ts";
import { HANDSHAKE_WITHIN_MS } from "./tls-material.ts";

const UNREAD_ANSWER_MS = 30_000;

export interface GrpcPortOptions extends ListenOptions {
  /** Both sides show certificates, and renewed ones are used for new connections; the port speaks plaintext where it is null. */
  readonly tls: TlsFolder | null;
  readonly maxConnections: number;
  /** Makes the server that answers; called with the first connection. */
  readonly load: () => Promise<GrpcServer>;
}

/** A port whose connections are bounded and handed to a gRPC server. */
export class GrpcPort {
  readonly #options: GrpcPortOptions;
  readonly #server: Server;
  /** As they came: with TLS also those whose client has not shown who it is yet. */
  readonly #sockets = new Set<Socket>();
  #grpc: Promise<GrpcServer> | null = null;

  private constructor(options: GrpcPortOptions) {
    this.#options = options;
    const { tls, maxConnections } = options;
    this.#server = tls ? this.#listenSecurely(tls) : createServer({ noDelay: true }, socket => this.#accept(socket));
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    limitConnections(this.#server, { maxConnections, unreadAnswerMs: UNREAD_ANSWER_MS });
  }

  /** Throws failed_precondition for a port that is taken. */
  static async start(options: GrpcPortOptions): Promise<GrpcPort> {
    const started = new GrpcPort(options);
    await listen(started.#server, options);
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
