import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, it } from "mocha";
import { refuse } from "../support/kubernetes-api.ts";
import { until } from "./support/manual-clock.ts";
import { refOf } from "./support/running-scaler.ts";
import {
  AUTHORIZED,
  answer,
  leads,
  PIPELINE,
  page,
  passUntil,
  SeveralScalers,
  TIMES,
} from "./support/several-scalers.ts";

describe("several scalers where the API server or a process stands still", () => {
  let scalers: SeveralScalers;
  beforeEach(async () => {
    scalers = await SeveralScalers.open();
  });
  afterEach(() => scalers.close());

  it("leads in the end where the API server went away between the Lease and what is shared", async () => {
    const first = await scalers.start("first");
    let isDown = false;
    scalers.api.intercept = (seen, response) => {
      if (seen.method === "POST" && seen.path.endsWith("/leases")) isDown = true;
      else if (isDown) return refuse(response, 503, "ServiceUnavailable", "down");
      return false;
    };
    await passUntil([first], () => isDown && scalers.holder() === "first", "the Lease");
    for (let second = 0; second < 15; second++) {
      await first.clock.advance(1000);
      await new Promise(resolve => setTimeout(resolve, 150));
    }
    assert.equal(await leads(first), false);
    scalers.api.intercept = () => false;
    const until = async () => {
      await new Promise(resolve => setTimeout(resolve, 100));
      return leads(first);
    };
    await passUntil([first], until, "it leads", 40);
  });

  it("an old leader that wakes assigns nothing, sends its switchers to the new one and answers what that one does", async () => {
    const [first, second] = await scalers.leaderAndFollower();
    const pod = first.switcher();
    await until(() => pod.assignments.length > 0, "an assignment");
    await passUntil([second], () => leads(second), "the second leads");
    await fetch(second.url(`${PIPELINE}/pin`), {
      method: "PUT",
      headers: AUTHORIZED,
      body: JSON.stringify({ stage: "detect", replicas: 9, ttlMs: 600_000 }),
    });
    await passUntil([second], async () => (await answer(second)) === 9, "the pin");
    const sent = pod.assignments.length;
    const { board } = first;
    // It wakes into a load that asks for other variants, and nobody tells it yet that another leads.
    scalers.api.intercept = seen => seen.path.includes("/leases/");
    first.gateway.rateRps = 2000;
    first.clock.set(second.clock.nowMs());
    for (let second = 0; second < 12; second++) {
      await first.clock.advance(1000);
      await new Promise(resolve => setTimeout(resolve, 10));
    }
    assert.equal(pod.assignments.length, sent, "nothing is assigned by an old leader");
    assert.equal(first.board, board, "nothing is planned by an old leader");
    assert.equal(await leads(first), false);
    scalers.api.intercept = () => false;
    await passUntil([first, second], () => pod.ended !== null, "the switcher is sent away");
    await passUntil([first, second], async () => (await answer(first)) === 9, "the answer of the new leader");
    const leaderOfFirst = async () =>
      ((await (await fetch(first.url("/leader"))).json()) as { leader: unknown }).leader;
    await passUntil(
      [first, second],
      async () => (await leaderOfFirst()) !== null,
      "the old leader knows the new one",
      1200,
    );
    const again = first.switcher();
    await again.endedWith();
    assert.equal(again.redirect, `127.0.0.1:${second.scaler.ports.switchers}`);
  });

  it("without the API server nobody leads: answers stay until they are stale, and then fail", async () => {
    const [first, second] = await scalers.leaderAndFollower();
    const pod = first.switcher();
    await until(() => pod.assignments.length > 0, "an assignment");
    const before = await answer(first);
    scalers.api.intercept = (_seen, response) => refuse(response, 503, "ServiceUnavailable", "down");
    scalers.api.cut();
    const decided = await passUntil([first, second], async () => !(await leads(first)), "the leader freezes");
    assert.ok(decided <= TIMES.renewWithinMs / 1000 + 2, `it took ${decided} s`);
    const board = first.board;
    first.gateway.rateRps = 2000;
    await passUntil([first, second], () => pod.ended !== null, "switchers look for a leader");
    assert.deepEqual([await answer(first), await answer(second)], [before, before]);
    assert.equal(first.board, board, "nothing is planned");
    await passUntil([first, second], async () => (await answer(first)) === status.UNAVAILABLE, "stale answers fail");
    await passUntil([first, second], async () => (await answer(second)) === status.UNAVAILABLE, "stale answers fail");
    assert.equal((await second.keda.isActive(refOf())).result, true);
    assert.equal((await second.keda.spec(refOf())).metricSpecs.length, 1);
    assert.equal((await fetch(second.url("/readyz"))).status, 503);
    scalers.api.intercept = () => false;
    await passUntil([first, second], async () => (await leads(first)) || (await leads(second)), "one leads again");
    await passUntil(
      [first, second],
      async () => typeof (await answer(first)) === "number" && (await answer(first)) === (await answer(second)),
      "both answer again",
    );
  });

  it("a follower that does not hear of the leader's boards fails GetMetrics, though it sees the Lease renewed", async () => {
    const [first, second] = await scalers.leaderAndFollower();
    scalers.api.intercept = (seen, response) =>
      seen.path.startsWith("/api/v1/namespaces/scalers/configmaps") && seen.method === "GET"
        ? refuse(response, 503, "ServiceUnavailable", "no watches")
        : false;
    scalers.api.cut();
    first.gateway.rateRps = 700;
    await passUntil(
      [first, second],
      async () => (await answer(second)) === status.UNAVAILABLE,
      "it knows that it is behind",
    );
    assert.equal(typeof (await answer(first)), "number");
    assert.equal((await fetch(second.url("/readyz"))).status, 503);
  });

  it("answers what was shared, also where a write of it does not go through", async () => {
    const [first, second] = await scalers.leaderAndFollower();
    const before = await answer(first);
    scalers.api.intercept = (seen, response) =>
      seen.path.startsWith("/api/v1/namespaces/scalers/configmaps/") && seen.method === "PATCH"
        ? refuse(response, 403, "Forbidden", "no right")
        : false;
    const decided = first.board?.stages[0]?.metricValue;
    first.gateway.rateRps = 900;
    await passUntil([first, second], () => first.board?.stages[0]?.metricValue !== decided, "another decision");
    assert.deepEqual([await answer(first), await answer(second)], [before, before]);
    const { processConditions } = await page(first);
    const shared = processConditions.find(({ type }: { type: string }) => type === "BoardShared");
    assert.match(shared.message, /resources: \["configmaps"\], verbs: \["patch"\]/);
    await passUntil([first, second], async () => (await answer(first)) === status.UNAVAILABLE, "stale");
    await passUntil([first, second], async () => (await answer(second)) === status.UNAVAILABLE, "stale");
  });
});
