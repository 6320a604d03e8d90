import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Stage } from "../domain/pipeline.ts";
import type { Row } from "../gateway/stage.ts";
import { bytesOf } from "../runtime/tensor-data.ts";

/** Stands in for the replicas of all stages: answers with outputs that were recorded, so that only the gateway's work is left. */
export interface ReplayReplica {
  readonly address: string;
  /** Outputs of the next request, by stage. */
  play(outputs: ReadonlyMap<string, readonly Row[]>): void;
  /** Time spent in here since `play`. */
  spentMs(): number;
  close(): Promise<void>;
}

export async function startReplayReplica(stages: readonly Stage[]): Promise<ReplayReplica> {
  let outputs: ReadonlyMap<string, readonly Row[]> = new Map();
  let spentMs = 0;
  const server = createServer((request, response) => {
    const startedMs = performance.now();
    const stage = stages.find(one => request.url === `/v2/models/${one.name}/infer`);
    request.resume().once("end", () => {
      if (stage) answer(response, request, stage, outputs.get(stage.name) ?? []);
      else response.writeHead(404).end();
      spentMs += performance.now() - startedMs;
    });
  });
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    play: next => {
      outputs = next;
      spentMs = 0;
    },
    spentMs: () => spentMs,
    close: async () => {
      const closed = new Promise(resolve => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function answer(response: ServerResponse, request: IncomingMessage, stage: Stage, rows: readonly Row[]): void {
  const binary: Uint8Array[] = [];
  const outputs = stage.contract.outputs.map(({ name, datatype }) => {
    const tensors = rows.flatMap(row => row[name] ?? []);
    for (const tensor of tensors) binary.push(bytesOf(tensor.data));
    const bytes = tensors.reduce((sum, tensor) => sum + tensor.data.byteLength, 0);
    const shape = [rows.length, ...(tensors[0]?.shape ?? [])];
    return { name, datatype, shape, parameters: { binary_data_size: bytes } };
  });
  const id = request.headers["x-request-id"];
  const header = Buffer.from(
    JSON.stringify({ model_name: stage.name, model_version: stage.defaultVariant, id, outputs }),
  );
  response.writeHead(200, { "inference-header-content-length": header.byteLength });
  response.end(Buffer.concat([header, ...binary]));
}
