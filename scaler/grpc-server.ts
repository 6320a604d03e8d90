import { format } from "node:util";
import {
  Server,
  type ServerCredentials,
  type ServiceDefinition,
  setLogger,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation, protoPath as healthProto } from "grpc-health-check";
import { VariscaleError } from "../domain/errors.ts";
import { loadProtoDefinition } from "../runtime/grpc.ts";
import { keepStreamsInLists } from "../runtime/http2-streams.ts";
import { SideStreams } from "../runtime/side-streams.ts";
import { forGrpcJs, type UnaryHandlers } from "../runtime/unary-call.ts";
import { takeUnaryCalls } from "../runtime/unary-calls.ts";

export interface GrpcServerOptions {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  readonly credentials: ServerCredentials;
  /** Full name of the service, as `grpc.health.v1` is asked for it. */
  readonly serviceName: string;
  readonly definition: ServiceDefinition;
  readonly unary?: UnaryHandlers;
  readonly streams: UntypedServiceImplementation;
  /** The .proto file that tools may ask for by reflection; null: there is none. */
  readonly reflected: "externalscaler.proto" | null;
  /** Larger messages are refused before they are read. */
  readonly mostMessageBytes: number;
}

export interface GrpcServer {
  readonly port: number;
  /** What `grpc.health.v1` answers for the server and for its service. */
  setServing(serving: boolean): void;
  /** Stops accepting and waits for calls to end; what is left after `graceMs` is cut. End streams first. */
  close(graceMs: number): Promise<void>;
}

/**
 * A peer that is gone without a word is noticed after 40 s. No connection has a maximal age: its end would cut KEDA's streams, and
 * every cut makes KEDA wait longer before it opens them again.
 */
export const CHANNEL_OPTIONS = {
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.so_reuseport": 0,
};

/** Starts a gRPC server with health and reflection. Everything is registered before the port is bound. */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const server = new Server({ ...CHANNEL_OPTIONS, "grpc.max_receive_message_length": options.mostMessageBytes });
  const names = ["", options.serviceName];
  const health = new HealthImplementation(Object.fromEntries(names.map(name => [name, "NOT_SERVING" as const])));
  const sideStreams = new SideStreams();
  const registrar = sideStreams.registrar(server);
  health.addToServer(registrar as Server);
  if (options.reflected) reflectionOf(options.reflected).addToServer(registrar);
  const { definition, unary = {}, streams, mostMessageBytes } = options;
  server.addService(definition, { ...forGrpcJs(unary), ...streams });
  const port = await bind(server, options);
  keepStreamsInLists(server);
  takeUnaryCalls(server, definition, unary, mostMessageBytes);
  return {
    port,
    setServing: serving => {
      for (const name of names) health.setStatus(name, serving ? "SERVING" : "NOT_SERVING");
    },
    close: graceMs => {
      sideStreams.end();
      return close(server, graceMs);
    },
  };
}

/** Both versions of the protocol, for the service and for health. */
function reflectionOf(fileName: "externalscaler.proto"): ReflectionService {
  return new ReflectionService({ ...loadProtoDefinition(healthProto), ...loadProtoDefinition(fileName) });
}

/** gRPC's own log, without the line that it writes of a port that it can't have: the error that it gives says more. */
function logAllButPorts(): void {
  const write =
    (level: "E" | "I" | "D") =>
    (...words: readonly unknown[]): void => {
      const text = format(...words);
      if (!text.startsWith("No address added")) process.stderr.write(`${level} ${text}\n`);
    };
  setLogger({ error: write("E"), info: write("I"), debug: write("D") });
}

function bind(server: Server, { host, port, credentials }: GrpcServerOptions): Promise<number> {
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  logAllButPorts();
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, bound) => {
      if (error === null) return resolve(bound);
      const [, why = error.message] = /errors: \[(.*)\]$/.exec(error.message) ?? [];
      const message = `cannot listen on ${address}: ${why}. Free the port or choose another one.`;
      reject(new VariscaleError("failed_precondition", message, { cause: error }));
    });
  });
}

function close(server: Server, graceMs: number): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      // The shutdown below would wait for ever for a peer that is frozen or cut off: it never closes its side.
      resolve();
    }, graceMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
