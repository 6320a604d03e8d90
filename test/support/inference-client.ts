import { credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import type { GRPCInferenceServiceClient } from "../../proto/generated/inference/GRPCInferenceService.ts";
import type { ProtoGrpcType } from "../../proto/generated/open_inference.ts";
import { loadProto } from "../../runtime/grpc.ts";

type Method = { [K in keyof GRPCInferenceServiceClient]: K }[keyof GRPCInferenceServiceClient] &
  `${Uppercase<string>}${string}`;

export interface CallOptions {
  readonly deadlineMs?: number;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A gRPC client of a switcher whose calls are promises. */
export class InferenceClient {
  readonly #client: GRPCInferenceServiceClient;

  constructor(port: number) {
    const { GRPCInferenceService } = loadProto<ProtoGrpcType>("open_inference.proto").inference;
    this.#client = new GRPCInferenceService(`127.0.0.1:${port}`, credentials.createInsecure());
  }

  /** Rejects with gRPC's ServiceError. */
  call<Response>(method: Method, request: object = {}, options: CallOptions = {}): Promise<Response> {
    type Unary = (
      request: object,
      metadata: Metadata,
      options: { deadline?: number },
      callback: (error: ServiceError | null, response: Response) => void,
    ) => void;
    const deadline = options.deadlineMs === undefined ? {} : { deadline: Date.now() + options.deadlineMs };
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(options.metadata ?? {})) metadata.set(name, value);
    return new Promise((resolve, reject) => {
      const unary = this.#client[method] as unknown as Unary;
      unary.call(this.#client, request, metadata, deadline, (error, response) =>
        error ? reject(error) : resolve(response),
      );
    });
  }

  /** The code, the text and the metadata of a call that must fail. */
  async failure(method: Method, request: object, options: CallOptions = {}): Promise<[number, string, Metadata]> {
    try {
      await this.call(method, request, options);
    } catch (error) {
      const { code, details, metadata } = error as ServiceError;
      return [code, details, metadata];
    }
    throw new Error(`${method} did not fail`);
  }

  close(): void {
    this.#client.close();
  }
}
