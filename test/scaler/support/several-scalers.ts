import assert from "node:assert/strict";
import type { ScalerOptions } from "../../../scaler/main.ts";
import { KubernetesApi, type KubernetesObject } from "../../support/kubernetes-api.ts";
import { ManualClock, until } from "./manual-clock.ts";
import { RunningScaler, refOf } from "./running-scaler.ts";

export const CONFIG_MAPS = "/api/v1/configmaps";
/** The pipeline's page. */
export const PIPELINE = "/api/v1/pipelines/shop/cards";
export const TIMES = { durationMs: 10_000, renewWithinMs: 6000, retryMs: 1500 };
/** How long what is shared of a pipeline that is gone is kept. */
export const KEPT_MS = 40_000;

const TOKEN = "the-token-of-these-scalers";
/** Changes must show these. */
export const AUTHORIZED = { authorization: `Bearer ${TOKEN}` };

const LEASES = "/apis/coordination.k8s.io/v1/leases";

/** Scalers of one Lease, each with a time of its own: one whose clock stands still is one that was stopped. */
export class SeveralScalers {
  readonly api: KubernetesApi;
  #members: RunningScaler[] = [];

  private constructor(api: KubernetesApi) {
    this.api = api;
  }

  static async open(): Promise<SeveralScalers> {
    const api = await KubernetesApi.start();
    for (const collection of [LEASES, CONFIG_MAPS]) api.collections.add(collection);
    return new SeveralScalers(api);
  }

  async start(name: string, options: Partial<ScalerOptions> = {}): Promise<RunningScaler> {
    const clock = new ManualClock((this.#members[0]?.clock ?? new ManualClock()).nowMs());
    const time = { monotonicMs: () => clock.nowMs(), wallMs: () => clock.nowMs() };
    const highAvailability = {
      ...{ config: this.api.config(), namespace: "scalers", lease: "test", identity: name, times: TIMES, time },
      ...{ advertiseHost: "127.0.0.1", keptMs: KEPT_MS },
    };
    const running = await RunningScaler.start({ highAvailability, token: TOKEN, ...options }, clock);
    this.#members.push(running);
    return running;
  }

  /** A leader with a plan, and a follower that answers the same. */
  async leaderAndFollower(): Promise<readonly [RunningScaler, RunningScaler]> {
    const first = await this.start("first");
    await until(() => this.holder() === "first", "the first scaler leads");
    first.gateway.rateRps = 50;
    await passUntil([first], async () => (first.board?.plan?.rateRps ?? 0) > 30, "a plan");
    const second = await this.start("second");
    second.gateway.rateRps = 50;
    await passUntil(
      [first, second],
      async () => typeof (await answer(first)) === "number" && (await answer(second)) === (await answer(first)),
      "the same answer",
    );
    return [first, second];
  }

  /** Who holds the Lease. */
  holder(): unknown {
    const lease: KubernetesObject | undefined = this.api.find(LEASES, "scalers", "test");
    return (lease?.["spec"] as { holderIdentity?: string } | undefined)?.holderIdentity;
  }

  /** Of one that the test has closed. */
  forget(closed: RunningScaler): void {
    this.#members = this.#members.filter(running => running !== closed);
  }

  async closeAll(): Promise<void> {
    for (const running of this.#members.splice(0)) await running.close();
  }

  async close(): Promise<void> {
    await this.closeAll();
    await this.api.close();
  }
}

/** Seconds pass at all of these at once, until it holds. */
export async function passUntil(
  running: readonly RunningScaler[],
  holds: () => boolean | Promise<boolean>,
  what: string,
  most = 120,
): Promise<number> {
  for (let second = 0; second < most; second++) {
    if (await holds()) return second;
    for (const one of running) await one.clock.advance(1000);
    // What was sent to the API server and to gateways is answered in turns of the event loop, however long a busy machine makes them.
    for (let turn = 0; turn < 10; turn++) await new Promise(resolve => setTimeout(resolve, 1));
  }
  return assert.fail(`${most} seconds were not enough for: ${what}`);
}

export async function leads(running: RunningScaler): Promise<boolean> {
  return (await fetch(running.url("/leader"))).status === 200;
}

// biome-ignore lint/suspicious/noExplicitAny: JSON of the API
export async function page(running: RunningScaler): Promise<any> {
  return (await fetch(running.url(PIPELINE))).json();
}

/** Replicas that KEDA is told of a stage; where it is told none, the status. */
export function answer(running: RunningScaler): Promise<number | undefined> {
  return running.keda.replicas(refOf()).catch((error: { code: number }) => error.code);
}
