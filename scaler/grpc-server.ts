import { GrpcPort, type GrpcPortOptions } from "../runtime/grpc-port.ts";
import { GrpcServer, type GrpcServerOptions } from "../runtime/grpc-server.ts";

export interface StartedGrpcServer {
  readonly port: number;
  /** What `grpc.health.v1` answers for the server and for its service. */
  setServing(serving: boolean): void;
  /** Stops accepting and waits for calls to end; what is left after `graceMs` is cut. End streams first. */
  close(graceMs: number): Promise<void>;
}

/** Starts a gRPC server of the scaler, all of whose services are there before the port is. Throws failed_precondition for a port that is taken. */
export async function startGrpcServer(
  options: GrpcServerOptions & Omit<GrpcPortOptions, "load">,
): Promise<StartedGrpcServer> {
  const server = new GrpcServer(options);
  try {
    const port = await GrpcPort.start({ ...options, load: () => Promise.resolve(server) });
    return {
      port: port.port,
      setServing: serving => server.setServing(serving),
      close: async graceMs => {
        await port.close(graceMs);
        await server.close(0);
      },
    };
  } catch (error) {
    await server.close(0);
    throw error;
  }
}
