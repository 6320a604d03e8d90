import assert from "node:assert/strict";
import { connect as connectHttp2 } from "node:http2";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { ProtoGrpcType } from "../../proto/generated/switcher.ts";
import { ByteBudget } from "../../runtime/byte-budget.ts";
import { loadProto } from "../../runtime/grpc.ts";
import { createLogger } from "../../runtime/logger.ts";
import { BoardStore } from "../../scaler/board-store.ts";
import { FollowService } from "../../scaler/follow-service.ts";
import { type StartedGrpcServer, startGrpcServer } from "../../scaler/grpc-server.ts";
import { ALONE } from "../../scaler/leadership.ts";
import { PipelineCatalogue } from "../../scaler/pipeline-catalogue.ts";
import { SwitcherRegistry } from "../../scaler/switcher-registry.ts";
import { tokenReview } from "../../scaler/token-review.ts";
import { TokenReviewer } from "../../scaler/token-reviewer.ts";
import { refuse } from "../support/kubernetes-api.ts";
import { FakeSwitcher } from "./support/fake-switcher.ts";
import { ManualClock, turns, until } from "./support/manual-clock.ts";
import { testPipeline } from "./support/test-pipeline.ts";
import { TokenReviews, token } from "./support/token-reviews.ts";

const { SwitcherControl } = loadProto<ProtoGrpcType>("switcher.proto").variscale.switcher.v1;
const { Follow } = SwitcherControl.service;
const MINUTE = 60_000;
const ASSIGNMENT = {
  version: { epoch: 1, counter: 1 },
  rungs: [{ variant: "heavy", maxBatch: 1 }],
  ...{ top: "heavy", floor: "heavy", decisionId: "d" },
  ...{ budgetMs: 100, laterBudgetMs: 50, laterLeastMs: 10, headroom: 0.75, shadow: false, belowFloor: [] },
};
const GONE = { authenticated: false, error: "service account is gone" };

describe("streams of switchers that the API server knows", () => {
  let clock: ManualClock;
  let reviews: TokenReviews;
  let catalogue: PipelineCatalogue;
  let registry: SwitcherRegistry;
  let follow: FollowService;
  let server: StartedGrpcServer;
  let reviewer: TokenReviewer;
  let outcomes: string[];
  let switchers: FakeSwitcher[];

  beforeEach(async () => {
    clock = new ManualClock();
    reviews = await TokenReviews.start(clock);
    catalogue = new PipelineCatalogue();
    catalogue.add(testPipeline());
    registry = new SwitcherRegistry();
    outcomes = [];
    switchers = [];
    const logger = createLogger("test", "silent");
    reviewer = new TokenReviewer({ config: reviews.config, serviceAccounts: [], clock, logger });
    follow = new FollowService({
      ...{ catalogue, registry, clock, logger, leadership: ALONE },
      boards: new BoardStore(error => assert.fail(String(error))),
      observe: () => undefined,
      onSwitch: () => undefined,
      identity: reviewer,
      onIdentified: outcome => outcomes.push(outcome),
    });
    server = await startGrpcServer({
      ...{ host: "127.0.0.1", port: 0, tls: null, maxConnections: 100, logger },
      ...{ budget: new ByteBudget(1024 * 1024), maxMessageBytes: 1024 * 1024, maxCallsOfConnection: 100 },
      protoFile: "switcher.proto",
      serviceName: "variscale.switcher.v1.SwitcherControl",
      definition: SwitcherControl.service,
      handlers: { ...follow.streams },
      ...{ isReflected: false, decodeLimits: { objects: 1000 } },
    });
  });

  afterEach(async () => {
    for (const switcher of switchers) switcher.close();
    reviewer.close();
    await server.close(0);
    await reviews.close();
  });

  /** With a token of its own that holds for an hour. */
  async function connect(pod = "detect-0", serviceAccount = "cards"): Promise<FakeSwitcher> {
    const before = registry.size;
    const switcher = open(pod, serviceAccount);
    await until(() => registry.size === before + 1, "the switcher");
    return switcher;
  }

  function open(pod: string, serviceAccount: string): FakeSwitcher {
    const shown = reviews.issue(pod, { pod, username: `system:serviceaccount:shop:${serviceAccount}` });
    const switcher = new FakeSwitcher(server.port, { pod }, true, shown);
    switchers.push(switcher);
    return switcher;
  }

  /** As if so much time had passed since the last pass of the loop. */
  function pass(ms: number): void {
    clock.set(clock.nowMs() + ms);
    follow.sweep();
  }

  async function counted(count: number): Promise<readonly string[]> {
    await until(() => outcomes.length === count, `${count} outcomes`);
    return outcomes;
  }

  it("are asked for their token again after ten minutes, give or take two, and go on with the one that they show", async () => {
    const switcher = await connect();
    pass(8 * MINUTE - 1);
    await turns(20);
    assert.equal(switcher.timesAsked, 0);
    const renewed = reviews.issue("renewed", {}, reviews.inAnHour);
    switcher.token = renewed;
    pass(4 * MINUTE + 2);
    assert.deepEqual(await counted(2), ["verified", "verified"]);
    assert.deepEqual(reviews.asked.at(-1)?.body, tokenReview(renewed));
    // The first one has ended by then.
    switcher.token = null;
    pass(50 * MINUTE);
    await until(() => switcher.timesAsked === 2, "the next question");
    pass(10_001);
    assert.equal((await counted(3))[2], "verified");
    assert.equal(switcher.ended, null);
  });

  it("end when their switcher lets nothing come in, after few Directives, which no budget counts", async () => {
    const session = connectHttp2(`http://127.0.0.1:${server.port}`, { settings: { initialWindowSize: 0 } });
    const headers = { ":method": "POST", "content-type": "application/grpc", te: "trailers" };
    const stream = session.request({
      ...{ ...headers, ":path": Follow.path },
      authorization: `Bearer ${reviews.issue()}`,
    });
    stream.on("error", () => undefined).resume();
    const other = new FakeSwitcher(server.port, {}, false);
    switchers.push(other);
    const hello = Follow.requestSerialize({ hello: other.hello });
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(hello.length, 1);
    stream.write(Buffer.concat([prefix, hello]));
    await until(() => registry.size === 1, "the switcher");
    const [{ channel } = assert.fail("no switcher")] = registry.list({ namespace: "shop", name: "cards" });
    let sent = 0;
    for (; registry.size === 1 && sent < 64; sent++) {
      channel.send(ASSIGNMENT);
      await turns();
    }
    assert.equal(sent, 9);
    session.destroy();
  });

  it("end when the API server no longer takes the token, whoever else stays", async () => {
    const [gone, other] = [await connect("detect-0"), await connect("detect-1")];
    reviews.known.set(gone.token ?? "", GONE);
    pass(12 * MINUTE);
    const { code, details } = await gone.endedWith();
    assert.equal(code, status.PERMISSION_DENIED);
    assert.match(
      details,
      /does not know this switcher: the API server does not take its token: service account is gone/,
    );
    await until(() => registry.size === 1, "its end");
    assert.equal(other.ended, null);
    assert.deepEqual([...(await counted(4))].sort(), ["refused", "verified", "verified", "verified"]);
  });

  it("end when the token that is shown is that of another pod", async () => {
    const switcher = await connect();
    switcher.token = reviews.issue("other", { pod: "detect-1" });
    pass(12 * MINUTE);
    const { code, details } = await switcher.endedWith();
    assert.equal(code, status.PERMISSION_DENIED);
    assert.match(details, /that of pod `detect-1`/);
  });

  it("go on while the API server does not answer, and are looked at when it does", async () => {
    const switcher = await connect();
    const { answer } = reviews;
    reviews.answer = (_request, response) => refuse(response, 503, "ServiceUnavailable", "no etcd");
    for (const hours of [1, 2, 3]) {
      pass(60 * MINUTE);
      assert.equal((await counted(1 + hours))[hours], "kept");
    }
    assert.equal(switcher.ended, null);
    reviews.answer = answer;
    reviews.known.set(switcher.token ?? "", GONE);
    pass(12 * MINUTE);
    assert.equal((await switcher.endedWith()).code, status.PERMISSION_DENIED);
  });

  it("are looked at again after about a minute where the API server did not answer", async () => {
    const switcher = await connect();
    const { answer } = reviews;
    reviews.answer = (_request, response) => refuse(response, 503, "ServiceUnavailable", "no etcd");
    pass(12 * MINUTE);
    assert.equal((await counted(2))[1], "kept");
    // Of this one it never said anything.
    switcher.token = reviews.issue("renewed");
    for (const timesAsked of [1, 2]) {
      pass(48_000 - 1);
      await turns(20);
      assert.equal(switcher.timesAsked, timesAsked);
      pass(24_002);
      assert.equal((await counted(timesAsked + 2))[timesAsked + 1], "kept");
    }
    reviews.answer = answer;
    reviews.known.set(switcher.token, GONE);
    pass(72_001);
    assert.equal((await switcher.endedWith()).code, status.PERMISSION_DENIED);
  });

  it("are looked at as soon where the clock was set back a day", async () => {
    const switcher = await connect();
    reviews.known.set(switcher.token ?? "", GONE);
    pass(-24 * 60 * MINUTE);
    pass(12 * MINUTE);
    assert.equal((await switcher.endedWith()).code, status.PERMISSION_DENIED);
  });

  it("are gone, and not asked again, where they do not read what they are told", async () => {
    const switcher = await connect();
    const registered = registry.all()[0];
    assert.ok(registered);
    for (let i = 0; i < 8; i++) registered.channel.send(ASSIGNMENT);
    assert.equal(follow.openStreams, 1);
    pass(12 * MINUTE);
    assert.equal(follow.openStreams, 0);
    pass(10_001);
    assert.equal((await switcher.endedWith()).code, status.RESOURCE_EXHAUSTED);
    assert.equal(reviews.asked.length, 1);
  });

  it("of earlier versions, which show none again, end with their token and are no refusal", async () => {
    const switcher = await connect();
    switcher.token = null;
    const unanswered = async (outcomesAfter: number) => {
      pass(12 * MINUTE);
      pass(10_001);
      return (await counted(outcomesAfter)).at(-1);
    };
    assert.equal(await unanswered(2), "verified");
    reviews.known.clear();
    clock.set(clock.nowMs() + 48 * MINUTE);
    pass(0);
    pass(10_001);
    const { code, details } = await switcher.endedWith();
    assert.equal(code, status.ABORTED);
    assert.match(details, /token of this stream has ended.*open a new one/);
    assert.deepEqual(outcomes, ["verified", "verified"]);
  });

  it("are asked ten in a pass, those that waited longest first", async () => {
    for (let i = 0; i < 25; i++) await connect(`detect-${i}`);
    const timesAsked = () => switchers.map(switcher => switcher.timesAsked);
    const total = () => timesAsked().reduce((sum, times) => sum + times, 0);
    for (const expected of [10, 20, 25]) {
      pass(expected === 10 ? 12 * MINUTE : 1000);
      await until(() => total() === expected, "their questions");
      await turns(20);
      assert.equal(total(), expected);
    }
    await counted(50);
    pass(12 * MINUTE);
    await until(() => total() === 35, "the next ones");
    await counted(60);
    assert.deepEqual(timesAsked().slice(0, 10), Array(10).fill(2));
    // Those at the front are due again before the last were asked: the last come first.
    pass(12 * MINUTE);
    await until(() => total() === 45, "the next ones");
    assert.deepEqual(timesAsked().slice(10, 20), Array(10).fill(2));
  });

  it("are not looked at for a token that they show unasked, or too late, which counts the next time", async () => {
    const switcher = await connect();
    switcher.token = null;
    pass(12 * MINUTE);
    pass(10_001);
    await counted(2);
    const late = reviews.issue("late");
    switcher.send({ token: { value: late } });
    switcher.report();
    await until(() => registry.all()[0]?.status !== null, "what came after it");
    assert.equal(reviews.asked.length, 2);
    pass(12 * MINUTE);
    pass(10_001);
    await counted(3);
    assert.deepEqual(reviews.asked.at(-1)?.body, tokenReview(late));
    assert.equal(switcher.ended, null);
  });

  describe("and whose token ends before they show a newer one", () => {
    let switcher: FakeSwitcher;
    let release: () => void;

    beforeEach(async () => {
      switcher = await connect();
      reviews.known.clear();
      switcher.token = null;
      const { answer } = reviews;
      reviews.answer = (...call) => {
        release = () => answer(...call);
      };
      pass(61 * MINUTE);
      pass(10_001);
      await until(() => reviews.asked.length === 2, "the review of the old one");
    });

    async function showNow(shown: string): Promise<void> {
      const before = registry.all()[0]?.lastReportMs;
      clock.set(clock.nowMs() + 1);
      switcher.send({ token: { value: shown } });
      switcher.report();
      await until(() => registry.all()[0]?.lastReportMs !== before, "what came after it");
    }

    it("go on with one that comes while the old one is reviewed", async () => {
      const late = reviews.issue("late");
      await showNow(late);
      release();
      await until(() => reviews.asked.length === 3, "the review of the late one");
      assert.deepEqual(reviews.asked[2]?.body, tokenReview(late));
      release();
      assert.deepEqual(await counted(2), ["verified", "verified"]);
      assert.equal(switcher.ended, null);
    });

    it("end where that one is refused too, whatever they show then", async () => {
      await showNow(token("late", reviews.inAnHour));
      release();
      await until(() => reviews.asked.length === 3, "the review of the late one");
      await showNow(reviews.issue("later"));
      release();
      assert.equal((await switcher.endedWith()).code, status.PERMISSION_DENIED);
      assert.equal(reviews.asked.length, 3);
    });
  });

  describe("and whose stage is bound to service accounts", () => {
    beforeEach(() => catalogue.replace(testPipeline({ serviceAccounts: ["cards", "scans"] })));

    it("are taken with one of these alone", async () => {
      await connect("detect-0", "scans");
      const { code, details } = await open("detect-1", "reader").endedWith();
      assert.equal(code, status.PERMISSION_DENIED);
      assert.match(
        details,
        /runs as service account `reader`; switchers of stage `detect` of shop\/cards run as cards, scans: set serviceAccountName, or add it to the stage's serviceAccounts in the pipeline file/,
      );
      assert.deepEqual(outcomes, ["verified", "mismatched"]);
      assert.equal(registry.size, 1);
    });

    it("end with an edit that takes theirs away, and none else do", async () => {
      const [cards, scans] = [await connect("detect-0", "cards"), await connect("detect-1", "scans")];
      const bound = testPipeline({ serviceAccounts: ["scans"] });
      catalogue.replace(bound);
      follow.recheck(bound.key);
      const { code, details } = await cards.endedWith();
      assert.equal(code, status.PERMISSION_DENIED);
      assert.match(details, /`cards`; switchers of stage `detect` of shop\/cards run as scans/);
      await turns(20);
      assert.equal(scans.ended, null);
      assert.deepEqual(outcomes, ["verified", "verified", "mismatched"]);
      assert.equal(reviews.asked.length, 2);
    });

    it("are refused where the edit came while they were looked at", async () => {
      const { answer } = reviews;
      let release = (): void => undefined;
      reviews.answer = (...call) => {
        release = () => answer(...call);
      };
      const switcher = open("detect-0", "cards");
      await until(() => reviews.asked.length === 1, "the review");
      catalogue.replace(testPipeline({ serviceAccounts: ["scans"] }));
      release();
      assert.equal((await switcher.endedWith()).code, status.PERMISSION_DENIED);
    });
  });
});
