/**
 * The users of a pipeline, as a process of their own: independent requests at a rate that it is told, each counted once. Arguments: the URL,
 * a folder of JPEG files that are sent in turn, and the milliseconds after which an answer is late.
 */
import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { exponential, seededRandom } from "../../../../load/seeded-random.ts";
import { NOTHING, type Tally } from "./tally.ts";

export type ClientQuestion = { readonly kind: "rate"; readonly rateRps: number } | { readonly kind: "tally" };

const MOST_COMPLAINTS = 1000;
const PAUSE_MS = 100;
/** Of the users; no machine is so slow that it drops what it could serve. */
const PATIENCE_MS = 20_000;
const [url = "", folder = "", lateMs = ""] = process.argv.slice(2);
const files = readdirSync(folder).filter(name => name.endsWith(".jpg"));
const bodies = files.map(name => readFileSync(join(folder, name)));

const random = seededRandom(1);
const variantCounts: Record<string, number> = {};
const complaints: string[] = [];
const counts = { offered: 0, served: 0, late: 0, dropped: 0, lost: 0, failed: 0 };
let rateRps = 0;

function send(): void {
  const body = bodies[counts.offered % bodies.length] ?? Buffer.alloc(0);
  counts.offered += 1;
  const sentMs = performance.now();
  let isCounted = false;
  const count = (outcome: "served" | "dropped" | "lost" | "failed", text = ""): void => {
    if (isCounted) return;
    isCounted = true;
    counts[outcome] += 1;
    if (text !== "" && complaints.length < MOST_COMPLAINTS) complaints.push(`${Date.now()} ${outcome}: ${text}`);
  };
  const headers = {
    "content-type": "image/jpeg",
    "content-length": body.length,
    "x-request-timeout-ms": String(PATIENCE_MS),
  };
  // A connection each: one that is kept and closes when it is used again says nothing of a lost request.
  const sent = request(url, { method: "POST", agent: false, headers }, response => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.on("error", error => count("lost", error.message));
    response.on("end", () => {
      const { statusCode = 0 } = response;
      const text = `${statusCode} ${Buffer.concat(chunks).toString().slice(0, 300)}`;
      if (statusCode === 200) {
        count("served");
        if (performance.now() - sentMs > Number(lateMs)) counts.late += 1;
        const variants = String(response.headers["x-variscale-variants"]);
        variantCounts[variants] = (variantCounts[variants] ?? 0) + 1;
      } else if (statusCode === 503 || statusCode === 504) count("dropped");
      else count(statusCode === 502 ? "lost" : "failed", text);
    });
  });
  sent.on("error", error => count("lost", error.message));
  sent.end(body);
}

async function run(): Promise<void> {
  let dueMs = performance.now();
  for (;;) {
    if (rateRps === 0) dueMs = performance.now() + PAUSE_MS;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, Math.min(waitMs, PAUSE_MS)));
    if (rateRps === 0 || performance.now() < dueMs) continue;
    send();
    dueMs += exponential(random, 1000 / rateRps);
  }
}

process.on("message", (question: ClientQuestion) => {
  if (question.kind === "rate") rateRps = question.rateRps;
  process.send?.({ ...NOTHING, ...counts, byVariants: { ...variantCounts }, complaints } satisfies Tally);
});
process.on("disconnect", () => process.exit(0));
void run();
