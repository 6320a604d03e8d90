import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, it } from "mocha";
import { createLogger } from "../../runtime/logger.ts";
import { tokenReview } from "../../scaler/token-review.ts";
import { TokenReviewer } from "../../scaler/token-reviewer.ts";
import { refuse } from "../support/kubernetes-api.ts";
import { FakeSwitcher } from "./support/fake-switcher.ts";
import { ManualClock, turns, until } from "./support/manual-clock.ts";
import { RunningScaler } from "./support/running-scaler.ts";
import { type Owner, ownedBy, TokenReviews, token } from "./support/token-reviews.ts";

const KEY = { namespace: "shop", name: "cards" };

describe("switchers that show the tokens of their pods", () => {
  let reviews: TokenReviews;
  let clock: ManualClock;
  let running: RunningScaler;

  beforeEach(async () => {
    clock = new ManualClock();
    reviews = await TokenReviews.start(clock);
    await start([]);
  });

  afterEach(async () => {
    await running.close();
    await reviews.close();
  });

  async function start(serviceAccounts: readonly string[], audience = "variscale"): Promise<void> {
    const logger = createLogger("test", "silent");
    const switcherIdentity = new TokenReviewer({ config: reviews.config, serviceAccounts, audience, clock, logger });
    running = await RunningScaler.start({ switcherIdentity }, clock);
    await running.planFor(20);
  }

  const connected = () => running.scaler.switchers(KEY).map(({ pod }) => pod);

  async function counted(): Promise<Readonly<Record<string, number>>> {
    const text = await (await fetch(running.url("/metrics"))).text();
    const lines = text.matchAll(/^variscale_identity_checks_total\{outcome="(\w+)"\} (\d+)$/gm);
    return Object.fromEntries([...lines].map(line => [line[1], Number(line[2])]));
  }

  /** Waits until so many switchers' streams are open. */
  async function streams(count: number): Promise<void> {
    const line = `variscale_streams{peer="switchers"} ${count}\n`;
    while (!(await (await fetch(running.url("/metrics"))).text()).includes(line)) await turns();
  }

  it("are told what to serve where the API server says that they are who they say", async () => {
    const shown = reviews.issue();
    const switcher = running.switcher({}, shown);
    // What it says before it is known is no mistake.
    switcher.report();
    await until(() => switcher.assignments.length > 0, "an assignment");
    assert.equal(reviews.asked.length, 1);
    assert.equal(reviews.asked[0]?.method, "POST");
    assert.equal(reviews.asked[0]?.authorization, "Bearer test");
    assert.deepEqual(reviews.asked[0]?.body, {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      spec: { token: shown, audiences: ["variscale"] },
    });
    assert.deepEqual(await counted(), { verified: 1 });
  });

  it("are asked for a token of the release's own audience where it has one, and refused with that of another release", async () => {
    await running.close();
    await start([], "variscale/shop/cards");
    const { code, details } = await running.switcher({}, reviews.issue()).endedWith();
    assert.equal(code, status.PERMISSION_DENIED);
    assert.match(details, /not for the audience variscale\/shop\/cards/);
    const review = reviews.asked[0]?.body as { readonly spec?: { readonly audiences: readonly string[] } } | undefined;
    assert.deepEqual(review?.spec?.audiences, ["variscale/shop/cards"]);
  });

  const refusals: readonly (readonly [string, Owner | object | null, string, RegExp])[] = [
    ["no token", null, "missing", /it shows no token: mount one .* --scaler-token-file/],
    [
      "a token that is not taken",
      { authenticated: false, error: "token has expired" },
      "refused",
      /does not take its token: token has expired/,
    ],
    ["one for another audience", ownedBy({ audiences: ["other"] }), "refused", /not for the audience variscale/],
    [
      "one of a server without audiences",
      { ...ownedBy(), audiences: undefined },
      "refused",
      /not for the audience variscale/,
    ],
    ["one of a user", ownedBy({ username: "admin" }), "refused", /that of `admin`, no service account/],
    ["one that is bound to no pod", ownedBy({ pod: null }), "refused", /bound to no pod: mount it as a projected/],
    [
      "one of another namespace",
      ownedBy({ username: "system:serviceaccount:lab:cards" }),
      "mismatched",
      /pod of namespace `lab`, and it says that it serves a pipeline of `shop`/,
    ],
    ["one of another pod", ownedBy({ pod: "detect-1" }), "mismatched", /that of pod `detect-1`, .* it is `detect-0`/],
  ];
  for (const [what, said, outcome, reason] of refusals)
    it(`are refused with ${what}, and told why`, async () => {
      const shown = said === null ? null : token(what, reviews.inAnHour);
      if (shown !== null && said !== null) reviews.known.set(shown, said);
      const { code, details } = await running.switcher({}, shown).endedWith();
      assert.equal(code, status.PERMISSION_DENIED);
      assert.match(details, reason);
      assert.deepEqual(connected(), []);
      assert.deepEqual(await counted(), { [outcome]: 1 });
    });

  it("are refused with what can be no token, without a review", async () => {
    const { code, details } = await running.switcher({}, "a b").endedWith();
    assert.equal(code, status.PERMISSION_DENIED);
    assert.match(details, /its token is none/);
    // More metadata than the server takes does not reach the scaler at all.
    const long = await running.switcher({}, "x".repeat(8193)).endedWith();
    assert.equal(long.code, status.RESOURCE_EXHAUSTED);
    assert.match(long.details, /^the token of `authorization` is too long: it has 8200 characters/);
    assert.equal(reviews.asked.length, 0);
  });

  it("are refused before they say who they are, with no token and with a wrong one, and are waited for with a right one", async () => {
    const open = (shown: string | null) => new FakeSwitcher(running.scaler.ports.switchers, {}, false, shown);
    const right = open(reviews.issue());
    await until(() => reviews.asked.length === 1, "a review");
    for (const [shown, reason] of [
      [null, /it shows no token/],
      [token("wrong", reviews.inAnHour), /token has expired/],
    ] as const) {
      const wrong = open(shown);
      const { code, details } = await wrong.endedWith();
      assert.equal(code, status.PERMISSION_DENIED);
      assert.match(details, reason);
      wrong.close();
    }
    assert.deepEqual(await counted(), { missing: 1, refused: 1 });
    assert.equal(right.ended, null);
    right.close();
  });

  it("must run as one of the service accounts, where these are named", async () => {
    await running.close();
    clock = new ManualClock();
    await start(["cards", "scans"]);
    const other = reviews.issue("b", { username: "system:serviceaccount:shop:default" });
    const { code, details } = await running.switcher({}, other).endedWith();
    assert.equal(code, status.PERMISSION_DENIED);
    assert.match(details, /runs as service account `default`; switchers run as cards, scans/);
    running.switcher({}, reviews.issue());
    await until(() => connected().length === 1, "the switcher");
  });

  it("can't take the place of another pod that is connected", async () => {
    const first = running.switcher({}, reviews.issue());
    await until(() => connected().length === 1, "the switcher");
    const { code } = await running.switcher({}, reviews.issue("b", { pod: "intruder" })).endedWith();
    assert.equal(code, status.PERMISSION_DENIED);
    assert.equal(first.ended, null);
    assert.deepEqual(connected(), ["detect-0"]);
  });

  it("are asked for once a minute, and a token that was refused again after ten seconds", async () => {
    const shown = reviews.issue();
    const open = async () => {
      const switcher = running.switcher({}, shown);
      await until(() => connected().length === 1, "the switcher");
      switcher.close();
      await until(() => connected().length === 0, "its end");
    };
    await open();
    clock.set(clock.nowMs() + 59_000);
    await open();
    assert.equal(reviews.asked.length, 1);
    clock.set(clock.nowMs() + 2000);
    await open();
    assert.equal(reviews.asked.length, 2);
    const late = token("late", reviews.inAnHour);
    for (const _ of [1, 2]) await running.switcher({}, late).endedWith();
    assert.equal(reviews.asked.length, 3);
    reviews.known.set(late, ownedBy());
    clock.set(clock.nowMs() + 11_000);
    running.switcher({}, late);
    await until(() => connected().length === 1, "the switcher");
    assert.equal(reviews.asked.length, 4);
    assert.deepEqual(await counted(), { verified: 4, refused: 2 });
  });

  it("are known on through an outage of the API server until their token ends, and no new ones are", async () => {
    const shown = reviews.issue("a", {}, clock.nowMs() + 600_000);
    const held = running.switcher({}, shown);
    await until(() => connected().length === 1, "the switcher");
    reviews.answer = (_request, response) => refuse(response, 503, "ServiceUnavailable", "no etcd");
    clock.set(clock.nowMs() + 120_000);
    assert.equal(held.ended, null);
    held.close();
    await until(() => connected().length === 0, "its end");
    const again = running.switcher({}, shown);
    await until(() => connected().length === 1, "the switcher again");
    const stranger = await running.switcher({ pod: "detect-1" }, reviews.issue("b", { pod: "detect-1" })).endedWith();
    assert.equal(stranger.code, status.UNAVAILABLE);
    assert.match(stranger.details, /can't be reviewed now/);
    assert.doesNotMatch(stranger.details, /etcd/);
    again.close();
    await until(() => connected().length === 0, "its end");
    clock.set(clock.nowMs() + 600_000);
    assert.equal((await running.switcher({}, shown).endedWith()).code, status.UNAVAILABLE);
    assert.deepEqual(await counted(), { verified: 1, kept: 1, unavailable: 2 });
  });

  it("are known on through an outage for an hour at most, however long their token lasts", async () => {
    const logger = createLogger("test", "silent");
    const reviewer = new TokenReviewer({ config: reviews.config, serviceAccounts: [], clock, logger });
    const claim = { namespace: "shop", pod: "detect-0" };
    const reviewedAtMs = clock.nowMs();
    const shown = reviews.issue("long", {}, reviewedAtMs + 10 * 3_600_000);
    try {
      assert.equal((await reviewer.check(claim, shown)).outcome, "verified");
      reviews.answer = (_request, response) => refuse(response, 503, "ServiceUnavailable", "no etcd");
      for (const [minutes, outcome] of [
        [59, "kept"],
        [61, "unavailable"],
        // A clock that was set back.
        [-61, "unavailable"],
        [59, "kept"],
      ] as const) {
        clock.set(reviewedAtMs + minutes * 60_000);
        assert.equal((await reviewer.check(claim, shown)).outcome, outcome, `${minutes} minutes`);
      }
    } finally {
      reviewer.close();
    }
  });

  it("are reviewed again next, however many wait that were never taken", async () => {
    const logger = createLogger("test", "silent");
    const reviewer = new TokenReviewer({ config: reviews.config, serviceAccounts: [], clock, logger });
    const claim = { namespace: "shop", pod: "detect-0" };
    const shown = reviews.issue();
    const checkOf = (token: string) => reviewer.check(claim, token).then(({ outcome }) => outcome);
    try {
      assert.equal(await checkOf(shown), "verified");
      const answer = reviews.answer;
      const held: (() => void)[] = [];
      reviews.answer = (...call) => void held.push(() => answer(...call));
      const before = reviews.asked.length;
      const others = Array.from({ length: 5032 }, (_, i) => checkOf(`nonsense-${i}`));
      const { outcome, problem } = await reviewer.check(claim, "one-too-many");
      assert.equal(outcome, "unavailable");
      assert.match(problem ?? "", /5000 others wait for their review already/);
      assert.equal(reviewer.problem, null, "it is none of the API server's");
      clock.set(clock.nowMs() + 61_000);
      const again = checkOf(shown);
      await until(() => held.length === 32, "as many reviews as there may be");
      held[0]?.();
      await until(() => reviews.asked.length === before + 33, "the next review");
      assert.deepEqual(reviews.asked.at(-1)?.body, tokenReview(shown));
      reviews.answer = answer;
      for (const release of held.slice(1)) release();
      assert.equal(await again, "verified");
      assert.deepEqual(new Set(await Promise.all(others)), new Set(["refused"]));
    } finally {
      reviewer.close();
    }
  });

  it("take turns with those that follow already, however many of these wait", async () => {
    const logger = createLogger("test", "silent");
    const reviewer = new TokenReviewer({ config: reviews.config, serviceAccounts: [], clock, logger });
    const check = (name: string, isFollowing: boolean) =>
      reviewer.check({ namespace: "shop", pod: "detect-0" }, reviews.issue(name), isFollowing);
    const held: (() => void)[] = [];
    const { answer } = reviews;
    reviews.answer = (...call) => void held.push(() => answer(...call));
    try {
      const verdicts = Array.from({ length: 36 }, (_, i) => check(`following-${i}`, true));
      verdicts.push(check("newcomer-0", false), check("newcomer-1", false));
      await until(() => held.length === 32, "as many reviews as there may be");
      for (let i = 0; i < 6; i++) {
        held[i]?.();
        await until(() => held.length === 33 + i, "the next review");
      }
      const expected = ["following-32", "newcomer-0", "following-33", "newcomer-1", "following-34", "following-35"];
      assert.deepEqual(
        reviews.asked.slice(-6).map(({ body }) => body),
        expected.map(name => tokenReview(reviews.issue(name))),
      );
      for (const release of held.slice(6)) release();
      await Promise.all(verdicts);
    } finally {
      reviewer.close();
    }
  });

  it("are known on through an outage whatever was shown that is no token, which is kept in bounds", async () => {
    const logger = createLogger("test", "silent");
    const most = { taken: 3, refused: 5 };
    const reviewer = new TokenReviewer({ config: reviews.config, serviceAccounts: [], clock, logger, most });
    const outcomes = async (tokens: readonly string[]) => {
      const found = [];
      for (const [i, shown] of tokens.entries())
        found.push((await reviewer.check({ namespace: "shop", pod: `detect-${i}` }, shown)).outcome);
      return found;
    };
    const good = [0, 1, 2].map(i => reviews.issue(`t-${i}`, { pod: `detect-${i}` }));
    const nonsense = Array.from({ length: 20 }, (_, i) => `nonsense-${i}`);
    try {
      assert.deepEqual(await outcomes(good), ["verified", "verified", "verified"]);
      await outcomes(nonsense);
      const before = reviews.asked.length;
      assert.deepEqual(await outcomes(nonsense.slice(-5)), Array(5).fill("refused"));
      assert.equal(reviews.asked.length, before);
      await outcomes(nonsense.slice(0, 1));
      assert.equal(reviews.asked.length, before + 1);
      clock.set(clock.nowMs() + 120_000);
      reviews.answer = (_request, response) => refuse(response, 503, "ServiceUnavailable", "no etcd");
      assert.deepEqual(await outcomes(good), ["kept", "kept", "kept"]);
    } finally {
      reviewer.close();
    }
  });

  it("are taken by the hundred with no more than 32 reviews at a time", async () => {
    let open = 0;
    let most = 0;
    const held: (() => void)[] = [];
    const answer = reviews.answer;
    reviews.answer = (request, response) => {
      open += 1;
      most = Math.max(most, open);
      held.push(() => {
        open -= 1;
        answer(request, response);
      });
    };
    for (let i = 0; i < 100; i++)
      running.switcher({ pod: `detect-${i}` }, reviews.issue(`t-${i}`, { pod: `detect-${i}` }));
    await streams(100);
    await until(() => held.length === 32, "as many reviews as there may be");
    reviews.answer = answer;
    // Those that are held leave no room: more of them would have come by now, were there no limit.
    await turns(20);
    assert.equal(reviews.asked.length, 32);
    for (const release of held) release();
    await until(() => connected().length === 100, "all of them");
    assert.equal(reviews.asked.length, 100);
    assert.equal(most, 32);
  });

  it("are not waited for once they are gone", async () => {
    let release = (): void => undefined;
    const answer = reviews.answer;
    reviews.answer = (request, response) => {
      release = () => answer(request, response);
    };
    const switcher = running.switcher({}, reviews.issue());
    await until(() => reviews.asked.length === 1, "the review");
    switcher.close();
    await streams(0);
    release();
    while ((await counted())["verified"] !== 1) await turns();
    assert.deepEqual(connected(), []);
  });

  it("may say hello only once", async () => {
    reviews.answer = () => undefined;
    const switcher = running.switcher({}, reviews.issue());
    await until(() => reviews.asked.length === 1, "the review");
    switcher.send({ hello: switcher.hello });
    const { code, details } = await switcher.endedWith();
    assert.equal(code, status.INVALID_ARGUMENT);
    assert.match(details, /hello came twice/);
  });
});
