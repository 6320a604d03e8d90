import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import type { ProtoGrpcType } from "../../../proto/generated/externalscaler.ts";
import { loadProto } from "../../../runtime/grpc.ts";

/** What the scaler says of a stage; `unavailable`: it has no answer yet. */
export interface StageAnswer {
  readonly replicas: number | "unavailable";
  readonly isActive: boolean;
}

interface Ref {
  readonly scalerMetadata?: Readonly<Record<string, string>>;
}

/** A real ExternalScaler server that answers what the test says. */
export class KedaStub {
  readonly stages: Record<string, StageAnswer> = {};
  /** Rounds of questions about a stage that were answered, whatever the answer. */
  readonly asked: Record<string, number> = {};
  readonly address: string;
  readonly #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.address = `127.0.0.1:${port}`;
  }

  static async start(port = 0): Promise<KedaStub> {
    const { ExternalScaler } = loadProto<ProtoGrpcType>("externalscaler.proto").externalscaler;
    const server = new Server();
    const answers: { stub: KedaStub | null } = { stub: null };
    const unimplemented = (call: { destroy?: () => void }): void => call.destroy?.();
    server.addService(ExternalScaler.service, {
      GetMetricSpec: (_call: unknown, done: sendUnaryData<unknown>) =>
        done(null, { metricSpecs: [{ metricName: "replicas", targetSize: 1, targetSizeFloat: 1 }] }),
      GetMetrics: (call: ServerUnaryCall<{ scaledObjectRef: Ref }, unknown>, done: sendUnaryData<unknown>) => {
        const { replicas } = answers.stub!.#of(call.request.scaledObjectRef);
        if (replicas === "unavailable") done({ code: status.UNAVAILABLE, details: "there is no plan yet" });
        else
          done(null, { metricValues: [{ metricName: "replicas", metricValue: replicas, metricValueFloat: replicas }] });
      },
      IsActive: (call: ServerUnaryCall<Ref, unknown>, done: sendUnaryData<unknown>) =>
        done(null, { result: answers.stub!.#of(call.request).isActive }),
      StreamIsActive: unimplemented,
      StreamMetricSpec: unimplemented,
    } as never);
    const bound = await new Promise<number>((resolve, reject) =>
      server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, given) =>
        error ? reject(error) : resolve(given),
      ),
    );
    answers.stub = new KedaStub(server, bound);
    return answers.stub;
  }

  /** Cuts everything at once, as a crash does. */
  stop(): void {
    this.#server.forceShutdown();
  }

  #of(ref: Ref): StageAnswer {
    const stage = ref.scalerMetadata?.["stage"] ?? "";
    this.asked[stage] = (this.asked[stage] ?? 0) + 1;
    return this.stages[stage] ?? { replicas: "unavailable", isActive: true };
  }
}
