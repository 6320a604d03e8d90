/** The load on a switcher, from a process of its own: requests of one image each, in an open or a closed loop. */
import { Agent, type ClientRequest, request } from "node:http";
import { exponential, seededRandom } from "../load/seeded-random.ts";

export type ClientQuestion = { readonly url: string; readonly seconds: number } & (
  | { readonly kind: "open"; readonly rateRps: number; readonly seed: number }
  | { readonly kind: "closed"; readonly concurrency: number }
);

/** Times are those of performance.timeOrigin + performance.now(), which all processes of a machine share. */
export interface Sample {
  /** When the request should have been sent: what latency counts from. */
  readonly dueMs: number;
  readonly latencyMs: number;
  /** Null: the answer was good; otherwise what was wrong with it. */
  readonly failure: string | null;
}

/** The score of variant `name-OFFSET` for an image of fives is OFFSET + 5. */
const PIXEL = 5;
const HEADER = Buffer.from(
  JSON.stringify({
    inputs: [{ name: "image", datatype: "UINT8", shape: [1, 240, 192], parameters: { binary_data_size: 240 * 192 } }],
  }),
);
const BODY = Buffer.concat([HEADER, Buffer.alloc(240 * 192, PIXEL)]);
const agent = new Agent({ keepAlive: true, noDelay: true });

process.on("message", (question: ClientQuestion) => {
  const samples = question.kind === "open" ? openLoop(question) : closedLoop(question);
  samples.then(
    list => process.send?.(list),
    () => process.exit(1),
  );
});
process.send?.({ kind: "ready" });

/** Poisson arrivals; a request that is due is sent whether or not earlier ones were answered. */
async function openLoop(question: ClientQuestion & { readonly kind: "open" }): Promise<readonly Sample[]> {
  const random = seededRandom(question.seed);
  const endMs = nowMs() + question.seconds * 1000;
  const pending: Promise<Sample>[] = [];
  for (let dueMs = nowMs(); dueMs < endMs; dueMs += exponential(random, 1000 / question.rateRps)) {
    const waitMs = dueMs - nowMs();
    if (waitMs > 0.5) await new Promise(resolve => setTimeout(resolve, waitMs));
    pending.push(infer(question.url, dueMs));
  }
  return Promise.all(pending);
}

async function closedLoop(question: ClientQuestion & { readonly kind: "closed" }): Promise<readonly Sample[]> {
  const endMs = nowMs() + question.seconds * 1000;
  const samples: Sample[] = [];
  const client = async (): Promise<void> => {
    while (nowMs() < endMs) samples.push(await infer(question.url, nowMs()));
  };
  await Promise.all(Array.from({ length: question.concurrency }, client));
  return samples;
}

function infer(url: string, dueMs: number): Promise<Sample> {
  return new Promise(resolve => {
    const settle = (failure: string | null): void => resolve({ dueMs, latencyMs: nowMs() - dueMs, failure });
    const headers = { "content-length": BODY.length, "inference-header-content-length": HEADER.length };
    const sent: ClientRequest = request(url, { method: "POST", agent, headers }, response => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => settle(judge(response.statusCode ?? 0, Buffer.concat(chunks).toString())));
      response.on("error", error => settle(error.message));
    });
    sent.on("error", error => settle(error.message));
    sent.end(BODY);
  });
}

/** Whether the output is that of the variant that the answer names. */
function judge(status: number, text: string): string | null {
  if (status !== 200) return `${status}: ${text}`;
  const body = JSON.parse(text) as { model_version: string; outputs: { data: number[] }[] };
  const expected = Number(body.model_version.split("-")[1]) + PIXEL;
  const score = body.outputs[0]?.data[0] ?? Number.NaN;
  return Math.abs(score - expected) < 0.01 ? null : `${body.model_version} gave ${score}`;
}

function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
