import assert from "node:assert/strict";
import { Server, ServerCredentials, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, it } from "mocha";
import { ThinGrpcClient } from "../../bench/thin-grpc-client.ts";
import type { ProtoGrpcType } from "../../proto/generated/open_inference.ts";
import { loadProto } from "../../runtime/grpc.ts";

const { service } = loadProto<ProtoGrpcType>("open_inference.proto").inference.GRPCInferenceService;
const { requestSerialize, responseDeserialize } = service.ModelInfer;

interface Call {
  readonly request: { readonly modelName: string; readonly rawInputContents: readonly Buffer[] };
}

type Respond = (error: object | null, value?: object) => void;

describe("ThinGrpcClient", () => {
  let server: Server;
  let port: number;
  let answer: (call: Call, respond: Respond) => void;

  const listen = async (at: number): Promise<void> => {
    server = new Server();
    server.addService(service, { ModelInfer: (call: Call, respond: Respond) => answer(call, respond) });
    port = await new Promise((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${at}`, ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
  };
  beforeEach(() => listen(0));
  afterEach(() => server.forceShutdown());

  const client = (bytes: number): ThinGrpcClient =>
    new ThinGrpcClient(port, requestSerialize({ modelName: "image", rawInputContents: [Buffer.alloc(bytes, 7)] }));

  it("sends its message each time, and gives what was answered", async () => {
    answer = ({ request }, respond) => {
      const [raw = Buffer.alloc(0)] = request.rawInputContents;
      respond(null, {
        modelName: request.modelName,
        modelVersion: `${raw.length} of ${raw[0]}`,
        rawOutputContents: [raw],
      });
    };
    const large = client(200_000);
    for (let i = 0; i < 3; i++) {
      const { modelName, modelVersion, rawOutputContents } = responseDeserialize(await large.call());
      assert.deepEqual([modelName, modelVersion], ["image", "200000 of 7"]);
      assert.deepEqual(rawOutputContents, [Buffer.alloc(200_000, 7)]);
    }
    large.close();
  });

  it("rejects with the server's status", async () => {
    answer = (_call, respond) => respond({ code: status.RESOURCE_EXHAUSTED, details: "full" });
    const small = client(1);
    await assert.rejects(small.call(), { code: status.RESOURCE_EXHAUSTED, message: "full" });
    small.close();
  });

  it("rejects with UNAVAILABLE when the connection breaks and while there is none, and goes on over a new one", async () => {
    answer = () => server.forceShutdown();
    const small = client(1);
    for (let i = 0; i < 3; i++) await assert.rejects(small.call(), { code: status.UNAVAILABLE });
    answer = (_call, respond) => respond(null, { modelName: "again" });
    await listen(port);
    assert.equal(responseDeserialize(await small.call()).modelName, "again");
    small.close();
  });
});
