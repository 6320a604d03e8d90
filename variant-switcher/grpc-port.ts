import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { VariscaleError } from "../domain/errors.ts";
import type { GrpcServer, GrpcServerOptions } from "./grpc-server.ts";

export interface GrpcPortOptions extends GrpcServerOptions {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
}

/**
 * The port of the gRPC API. gRPC's code is loaded with the first connection: a pod whose clients speak REST needs 15 MiB less.
 */
export class GrpcPort {
  readonly #options: GrpcPortOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #grpc: Promise<GrpcServer> | null = null;

  private constructor(options: GrpcPortOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true }, socket => this.#accept(socket));
  }

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

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    this.#grpc ??= this.#load();
    this.#grpc.then(
      grpc => grpc.inject(socket),
      (error: unknown) => {
        this.#options.logger.error({ err: error }, "gRPC can't be loaded");
        this.#grpc = null;
        socket.destroy();
      },
    );
  }

  async #load(): Promise<GrpcServer> {
    const { GrpcServer } = await import("./grpc-server.ts");
    return new GrpcServer(this.#options);
  }
}
