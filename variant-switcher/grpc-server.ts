import type { Socket } from "node:net";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { HealthImplementation, type ServingStatus } from "grpc-health-check";
import type { Logger } from "pino";
import type { ProtoGrpcType } from "../proto/generated/open_inference.ts";
import type { ByteBudget } from "../runtime/byte-budget.ts";
import { loadProto } from "../runtime/grpc.ts";
import { keepStreamsInLists, widenWindows } from "../runtime/http2-streams.ts";
import { SideStreams } from "../runtime/side-streams.ts";
import { forGrpcJs } from "../runtime/unary-call.ts";
import { takeUnaryCalls } from "../runtime/unary-calls.ts";
import type { DataPlane } from "./data-plane.ts";
import { grpcService } from "./grpc-service.ts";
import { OpenCalls } from "./open-calls.ts";

/** How often `grpc.health.v1` is told whether the switcher is ready. */
const HEALTH_MS = 100;
/** For calls to be told that they have no answer. */
const LAST_WORDS_MS = 100;
/** Of one call's messages that may be under way: an image of floats has 600 KB. */
const WINDOW_BYTES = 1024 * 1024;

export interface GrpcServerOptions {
  readonly plane: DataPlane;
  readonly maxMessageBytes: number;
  readonly budget: ByteBudget;
  readonly logger: Logger;
}

/** The gRPC API on connections that are handed to it. */
export class GrpcServer {
  readonly #server: Server;
  readonly #injector: ReturnType<Server["createConnectionInjector"]>;
  readonly #health: HealthImplementation;
  readonly #calls = new OpenCalls();
  readonly #sideStreams = new SideStreams();
  readonly #healthTimer: NodeJS.Timeout;
  readonly #names: readonly string[];
  readonly #isReady: () => boolean;
  #status: ServingStatus | null = null;

  constructor({ plane, maxMessageBytes, budget, logger }: GrpcServerOptions) {
    this.#server = new Server({
      "grpc.max_receive_message_length": maxMessageBytes,
      "grpc.max_send_message_length": -1,
      "grpc.keepalive_time_ms": 30_000,
      "grpc.keepalive_timeout_ms": 10_000,
    });
    const { GRPCInferenceService } = loadProto<ProtoGrpcType>("open_inference.proto").inference;
    const handlers = grpcService(plane, budget, this.#calls, logger);
    this.#server.addService(GRPCInferenceService.service, forGrpcJs(handlers));
    this.#names = ["", "inference.GRPCInferenceService", plane.stage];
    this.#isReady = () => plane.isReady;
    this.#health = new HealthImplementation();
    this.#tellHealth();
    this.#health.addToServer(this.#sideStreams.registrar(this.#server) as Server);
    this.#healthTimer = setInterval(() => this.#tellHealth(), HEALTH_MS);
    this.#healthTimer.unref();
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    keepStreamsInLists(this.#server);
    widenWindows(this.#server, WINDOW_BYTES);
    takeUnaryCalls(this.#server, GRPCInferenceService.service, handlers, maxMessageBytes);
  }

  inject(socket: Socket): void {
    this.#injector.injectConnection(socket);
  }

  /** Takes no new calls, answers those that there are for at most `graceMs`, and tells the others then that it has ended. */
  async close(graceMs: number): Promise<void> {
    clearInterval(this.#healthTimer);
    this.#set("NOT_SERVING");
    this.#sideStreams.end();
    await new Promise<void>(resolve => {
      let timer = setTimeout(() => {
        this.#calls.cut();
        timer = setTimeout(() => {
          this.#server.forceShutdown();
          resolve();
        }, LAST_WORDS_MS);
      }, graceMs);
      // Not after the injector's drain(): of connections that it has begun to close tryShutdown() does not wait for the calls.
      this.#server.tryShutdown(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #tellHealth(): void {
    this.#set(this.#isReady() ? "SERVING" : "NOT_SERVING");
  }

  #set(status: ServingStatus): void {
    if (status === this.#status) return;
    this.#status = status;
    for (const name of this.#names) this.#health.setStatus(name, status);
  }
}
