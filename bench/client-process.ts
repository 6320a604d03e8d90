/** The load on a server, from a process of its own: requests of one image each, in an open or a closed loop. */
import { Agent, type ClientRequest, request } from "node:http";
import { exponential, seededRandom } from "../load/seeded-random.ts";
import type { InferenceClient } from "../test/support/inference-client.ts";
import { type Failure, PIXEL, type Sample } from "./samples.ts";

/** Where requests go. `offset` null: the answer's version `name-OFFSET` says it. */
export interface ClientTarget {
  /** gRPC is spoken by grpc-js' client, as users' programs do. */
  readonly transport: "rest" | "grpc";
  readonly port: number;
  readonly model: string;
  readonly offset: number | null;
}

/** `seed`: of Poisson arrivals; null: they are evenly spaced. */
export type ClientQuestion = { readonly target: ClientTarget; readonly seconds: number } & (
  | { readonly kind: "open"; readonly rateRps: number; readonly seed: number | null }
  | { readonly kind: "closed"; readonly concurrency: number }
);

type Send = (dueMs: number) => Promise<Sample>;

const IMAGE = Buffer.alloc(240 * 192, PIXEL);
const TENSOR = { name: "image", datatype: "UINT8", shape: [1, 240, 192] };
const HEADER = Buffer.from(JSON.stringify({ inputs: [{ ...TENSOR, parameters: { binary_data_size: IMAGE.length } }] }));
const BODY = Buffer.concat([HEADER, IMAGE]);
const agent = new Agent({ keepAlive: true, noDelay: true });
/** By port. */
const grpcClients = new Map<number, InferenceClient>();

process.on("message", (question: ClientQuestion) => {
  run(question).then(
    list => process.send?.(list),
    (error: unknown) => {
      process.stderr.write(`the client failed: ${error}\n`);
      process.exit(1);
    },
  );
});
process.send?.({ kind: "ready" });

async function run(question: ClientQuestion): Promise<readonly Sample[]> {
  const { target } = question;
  const send = target.transport === "rest" ? overRest(target) : overGrpc(await callOf(target), target);
  return question.kind === "open" ? await openLoop(question, send) : await closedLoop(question, send);
}

/** A request that is due is sent whether or not earlier ones were answered. */
async function openLoop(question: ClientQuestion & { readonly kind: "open" }, send: Send): Promise<readonly Sample[]> {
  const random = question.seed === null ? null : seededRandom(question.seed);
  const meanMs = 1000 / question.rateRps;
  const endMs = nowMs() + question.seconds * 1000;
  const pending: Promise<Sample>[] = [];
  for (let dueMs = nowMs(); dueMs < endMs; dueMs += random ? exponential(random, meanMs) : meanMs) {
    const waitMs = dueMs - nowMs();
    if (waitMs > 0.5) await new Promise(resolve => setTimeout(resolve, waitMs));
    pending.push(send(dueMs));
  }
  return Promise.all(pending);
}

async function closedLoop(
  question: ClientQuestion & { readonly kind: "closed" },
  send: Send,
): Promise<readonly Sample[]> {
  const endMs = nowMs() + question.seconds * 1000;
  const samples: Sample[] = [];
  const client = async (): Promise<void> => {
    while (nowMs() < endMs) samples.push(await send(nowMs()));
  };
  await Promise.all(Array.from({ length: question.concurrency }, client));
  return samples;
}

function overRest({ port, model, offset }: ClientTarget): Send {
  const headers = { "content-length": BODY.length, "inference-header-content-length": HEADER.length };
  const options = { host: "127.0.0.1", port, path: `/v2/models/${model}/infer`, method: "POST", agent, headers };
  return dueMs =>
    new Promise(resolve => {
      const settle = (failure: Failure | null): void => resolve({ dueMs, latencyMs: nowMs() - dueMs, failure });
      const lost = (error: Error): void => settle({ kind: "lost", text: error.message });
      const sent: ClientRequest = request(options, response => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => settle(judgeRest(response.statusCode ?? 0, Buffer.concat(chunks).toString(), offset)));
        response.on("error", lost);
      });
      sent.on("error", lost);
      sent.end(BODY);
    });
}

interface GrpcAnswer {
  readonly modelVersion: string;
  readonly rawOutputContents: readonly Buffer[];
}

/** The call that is measured, by a client that is kept for the next question. */
async function callOf({ port, model }: ClientTarget): Promise<() => Promise<GrpcAnswer>> {
  const message = { modelName: model, inputs: [TENSOR], rawInputContents: [IMAGE] };
  const { InferenceClient: Client } = await import("../test/support/inference-client.ts");
  const client = grpcClients.get(port) ?? new Client(port);
  grpcClients.set(port, client);
  return () => client.call<GrpcAnswer>("ModelInfer", message);
}

function overGrpc(call: () => Promise<GrpcAnswer>, { offset }: ClientTarget): Send {
  return async dueMs => {
    let failure: Failure | null;
    try {
      const answer = await call();
      const score = answer.rawOutputContents[0]?.readFloatLE(0) ?? Number.NaN;
      failure = judge(answer.modelVersion, score, offset);
    } catch (error) {
      const { code, message: text } = error as { readonly code: number; readonly message: string };
      // UNAVAILABLE is what the client itself says of a connection that broke.
      failure = { kind: code === 14 ? "lost" : "refused", text };
    }
    return { dueMs, latencyMs: nowMs() - dueMs, failure };
  };
}

function judgeRest(status: number, text: string, offset: number | null): Failure | null {
  if (status !== 200) return { kind: "refused", text: `${status}: ${text}` };
  const body = JSON.parse(text) as { model_version: string; outputs: { data: number[] }[] };
  return judge(body.model_version, body.outputs[0]?.data[0] ?? Number.NaN, offset);
}

/** Whether the output is that of the variant that the answer names. */
function judge(version: string, score: number, offset: number | null): Failure | null {
  const expected = (offset ?? Number(version.split("-")[1])) + PIXEL;
  return Math.abs(score - expected) < 0.01 ? null : { kind: "wrong", text: `${version} gave ${score}` };
}

function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
