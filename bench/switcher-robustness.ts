import { setTimeout as sleep } from "node:timers/promises";
import { type Figure, figure } from "./figure.ts";
import { latencies, quantile, rounded, type Sample, sorted } from "./samples.ts";
import type { Rig } from "./switcher-rig.ts";

const HEAVY_MS = 200;
const ADMIN_REQUESTS = 2000;
/** Between an answer and the next request; with the request itself no more than the spacing. */
const ADMIN_PAUSE_MS = 20;
const ADMIN_SPACING_MS = 50;
const SOAK_SECONDS = 600;
const WINDOW_SECONDS = 20;
const LOAD = 0.8;

/** The admin endpoint beside heavy inference on the same core. */
export async function adminFigures(rig: Rig): Promise<Figure[]> {
  const variant = rig.variant("heavy", 1000, HEAVY_MS);
  const switcher = await rig.startSwitcher({ variants: [variant], sessions: 2, core: 0 });
  const client = await rig.startClient(1);
  const url = `http://127.0.0.1:${switcher.ports.admin}/admin/v1/assignment`;
  const requests = rig.isShort ? 50 : ADMIN_REQUESTS;
  const tookMs: number[] = [];
  try {
    const seconds = (requests * ADMIN_SPACING_MS) / 1000 + 3;
    const load = client.ask({ kind: "closed", target: switcher.rest, seconds, concurrency: 2 });
    await sleep(2000);
    for (let i = 0; i < requests; i++) {
      const startMs = performance.now();
      await (await fetch(url)).arrayBuffer();
      tookMs.push(performance.now() - startMs);
      await sleep(ADMIN_PAUSE_MS);
    }
    const inferences = latencies(await load);
    return [
      figure("switcher.admin.p99Ms", rounded(quantile(sorted(tookMs), 0.99)), {
        against: {
          p50Ms: rounded(quantile(sorted(tookMs), 0.5)),
          inferences: inferences.length,
          inferenceP50Ms: rounded(quantile(inferences, 0.5)),
        },
        isWhole: !rig.isShort,
        note: `${requests} requests while inferences of ${HEAVY_MS} ms follow each other on the same core`,
      }),
    ];
  } finally {
    await Promise.all([switcher.child.stop(), client.stop()]);
  }
}

/** Ten minutes at 80 % load in which the session's thread dies every 20 s in the middle of a batch. */
export async function soakFigures(rig: Rig): Promise<Figure[]> {
  const variant = rig.variant("four", 1000, 4);
  const script = "./dying-switcher.js";
  const switcher = await rig.startSwitcher({ variants: [variant], sessions: 2, core: 0, batch: 4, script });
  const client = await rig.startClient(1);
  const target = switcher.rest;
  const seconds = rig.isShort ? 60 : SOAK_SECONDS;
  const all: Sample[] = [];
  try {
    const alone = await client.ask({ kind: "closed", target, seconds: 5, concurrency: 8 });
    const rateRps = (LOAD * latencies(alone).length) / 5;
    for (let second = 0; second < seconds; second += WINDOW_SECONDS) {
      process.stderr.write(`soak: ${second} of ${seconds} s\n`);
      all.push(...(await client.ask({ kind: "open", target, rateRps, seconds: WINDOW_SECONDS, seed: second })));
    }
    const metrics = await (await fetch(`http://127.0.0.1:${switcher.ports.metrics}/metrics`)).text();
    const deaths = Number(/sessions_lost_total\{[^}]*\} (\d+)/.exec(metrics)?.[1] ?? 0);
    const count = (kind: string) => all.filter(({ failure }) => failure?.kind === kind).length;
    const refused = count("refused");
    const isWhole = seconds >= SOAK_SECONDS && deaths >= seconds / 30;
    const against = {
      requests: all.length,
      deaths,
      refused,
      rateRps: rounded(rateRps),
      p99Ms: rounded(quantile(latencies(all), 0.99)),
    };
    const first = all.find(({ failure }) => failure !== null)?.failure?.text;
    const note = `${seconds} s at 80 % load${isWhole ? "" : "; too short to count"}${first === undefined ? "" : `; ${first}`}`;
    return [
      figure("switcher.soak.unanswered", count("lost"), { against, isWhole, note }),
      figure("switcher.soak.wrong", count("wrong"), { against, isWhole, note }),
    ];
  } finally {
    await Promise.all([switcher.child.stop(), client.stop()]);
  }
}
