import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { SERVER_PAIR, TEST_CA } from "../support/kubernetes-certificates.ts";
import { eventually } from "./support/eventually.ts";
import { type Followed, FollowedSource } from "./support/followed-source.ts";
import { RealPrometheus, type RealPrometheusOptions } from "./support/real-prometheus.ts";
import { Target } from "./support/target.ts";

const COUNTER = 'variscale_gateway_offered_requests_total{namespace="shop",pipeline="cards"}';

const mean = (rates: readonly number[]) => rates.reduce((sum, rate) => sum + rate, 0) / rates.length;

describe("openPrometheusSource(), of a real Prometheus", () => {
  let target: Target;
  let prometheus: RealPrometheus;
  const sources: FollowedSource[] = [];

  const start = async (options: Partial<RealPrometheusOptions> = {}): Promise<void> => {
    prometheus = await RealPrometheus.start({ targets: [target], ...options });
  };
  const follow = (followed: Followed = {}): FollowedSource => {
    const source = new FollowedSource(prometheus.source, followed);
    sources.push(source);
    return source;
  };
  const given = (source: FollowedSource, count: number) =>
    eventually(() => source.samples.length >= count, `${count} samples; problem: ${source.problem}`);

  beforeEach(async () => {
    target = await Target.start(COUNTER, 200);
  });
  afterEach(async () => {
    for (const source of sources.splice(0)) source.close();
    await prometheus.close();
    await target.close();
  });

  it("fills in the past, with its gap and its reset, and goes on with the scrapes of now", async () => {
    const nowSeconds = Math.floor(Date.now() / 1000);
    const lines: string[] = [];
    // 15 s apart, 40 requests a second; from the 100th scrape on after a restart; none from the 150th to the 169th.
    for (let i = 0; i < 220; i++) {
      const count = 600 * (i < 100 ? 1000 + i : i - 100);
      if (i < 150 || i >= 170) lines.push(`${COUNTER} ${count} ${nowSeconds - 3400 + 15 * i}`);
    }
    await start({ history: `# TYPE variscale_gateway_offered_requests counter\n${lines.join("\n")}\n# EOF\n` });
    const source = follow();
    const findPast = () => source.samples.filter(({ atMs }) => atMs < 1000 * (nowSeconds - 3400 + 15 * 219));
    // It comes in parts.
    await eventually(() => findPast().length > 2900, "the past");
    const past = findPast();
    assert.ok(past.length <= 3285 - 15 - 300, String(past.length));
    assert.ok(Math.abs(mean(past.map(({ rateRps }) => rateRps)) - 40) < 1);
    assert.ok(
      past.every(({ rateRps }) => rateRps < 100),
      "no spike",
    );
    await eventually(() => source.ratesRps.filter(rate => rate > 100).length >= 3, "samples of now");
    assert.ok(source.isInOrder);
  });

  it("leaves the interval of a restart out: neither negative nor a spike", async () => {
    await start();
    const source = follow();
    await given(source, 3);
    target.reset();
    const scrapes = target.scrapes;
    await eventually(() => target.scrapes >= scrapes + 4, "scrapes after the restart");
    await given(source, source.samples.length + 3);
    assert.ok(
      source.ratesRps.every(rate => rate >= 0 && rate < 800),
      source.ratesRps.join(" "),
    );
    assert.ok(mean(source.ratesRps) > 100, source.ratesRps.join(" "));
    assert.ok(source.isInOrder);
  });

  it("leaves the seconds missing in which the target is down, says so, and goes on", async () => {
    await start();
    const source = follow();
    await given(source, 3);
    await target.close();
    await eventually(() => /newest scrape is \d+ s old/.test(source.problem), "the problem");
    const before = source.samples.length;
    const downAtMs = source.samples.at(-1)?.atMs ?? 0;
    await target.listen();
    await given(source, before + 3);
    assert.equal(source.problem, "");
    const gapMs = (source.samples[before]?.atMs ?? 0) - downAtMs;
    assert.ok(gapMs >= 3000, `a gap of ${gapMs} ms`);
    assert.ok(
      source.ratesRps.every(rate => rate > 0),
      source.ratesRps.join(" "),
    );
    assert.ok(source.isInOrder);
  });

  it("gives nothing while the Prometheus is away, says so, and goes on when it is back", async () => {
    await start();
    const source = follow();
    await given(source, 3);
    await prometheus.stop();
    await eventually(() => /ECONNREFUSED/.test(source.problem), "the problem");
    const before = source.samples.length;
    const scrapes = target.scrapes;
    await prometheus.run();
    await eventually(() => target.scrapes >= scrapes + 3, "scrapes");
    await given(source, before + 2);
    assert.equal(source.problem, "");
    assert.ok(source.isInOrder);
    assert.ok(
      source.ratesRps.every(rate => rate > 0 && rate < 800),
      source.ratesRps.join(" "),
    );
  });

  it("finds a pipeline whatever its name is", async () => {
    const key = { namespace: 'a"b\\c\nd', name: "ü{}=,~'`%" };
    const label = (text: string) => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
    const series = `namespace="${label(key.namespace)}",pipeline="${label(key.name)}"`;
    const odd = await Target.start(`variscale_gateway_offered_requests_total{${series}}`, 50);
    try {
      await start({ targets: [target, odd] });
      const source = follow({ key });
      await given(source, 3);
      assert.ok(
        source.ratesRps.every(rate => rate < 150),
        "the other target is not in it",
      );
    } finally {
      await odd.close();
    }
  });

  it("sums up what several targets count, each scraped at its own time", async () => {
    const other = await Target.start(COUNTER, 400);
    try {
      await start({ targets: [target, other] });
      const source = follow({ query: { kind: "counter", selector: `{__name__=~"variscale_gateway_.+",job="test"}` } });
      await given(source, 8);
      const rate = mean(source.ratesRps.slice(2));
      assert.ok(rate > 400 && rate < 900, source.ratesRps.join(" "));
    } finally {
      await other.close();
    }
  });

  it("reads an expression, and refuses one that is wrong or gives no rates", async () => {
    await start({ scrapeInterval: "500ms" });
    const options = { stepMs: 1000 };
    const rates = follow({ query: { kind: "rate", expression: `sum(rate(${COUNTER}[3s]))` }, options });
    const wrong = follow({ query: { kind: "rate", expression: "sum(rate(x[1m])" }, options });
    const range = follow({ query: { kind: "rate", expression: `${COUNTER}[1m]` }, options });
    const nan = follow({ query: { kind: "rate", expression: `${COUNTER} * 0 / 0` }, options });
    await given(rates, 6);
    assert.ok(mean(rates.ratesRps.slice(3)) > 50 && mean(rates.ratesRps.slice(3)) < 500, rates.ratesRps.join(" "));
    await eventually(() => wrong.problem !== "" && range.problem !== "" && nan.problem !== "", "the problems");
    assert.match(wrong.problem, /status 400: bad_data: .*parse error/);
    assert.match(range.problem, /status 400: bad_data: .*invalid expression type/);
    assert.match(nan.problem, /values are no rates/);
    assert.deepEqual([wrong.samples, range.samples, nan.samples], [[], [], []]);
  });

  it("gives up a query that takes too long, and says so", async () => {
    await start();
    const slow = `sum(sum_over_time(vector(1)[2h:1ms]))`;
    const source = follow({ query: { kind: "rate", expression: slow }, options: { timeoutMs: 300 } });
    await eventually(() => source.problem !== "", "the problem");
    assert.match(source.problem, /no answer within 300 ms|timed out/);
  });

  it("is let in by certificate authority, user name and password, or else says what was refused", async () => {
    const folder = mkdtempSync(join(tmpdir(), "variscale-test-"));
    const caFile = join(folder, "ca.pem");
    writeFileSync(caFile, TEST_CA);
    // The hash is of `pass word`.
    const config = `tls_server_config: {cert_file: server.pem, key_file: server.key}
basic_auth_users: {reader: "$2b$04$abcdefghijklmnopqrstuuFcV8WPKEefLKdOWfX8pW1yTVya21P7a"}
`;
    await start({ web: { config, files: { "server.pem": SERVER_PAIR.certificate, "server.key": SERVER_PAIR.key } } });
    const basicAuth = { username: "reader", password: "pass word" };
    const good = follow({ options: { caFile, basicAuth } });
    const stranger = follow({ options: { caFile, basicAuth: { ...basicAuth, password: "other" } } });
    const unsure = follow({ options: { basicAuth } });
    await given(good, 2);
    await eventually(() => stranger.problem !== "" && unsure.problem !== "", "the problems");
    assert.match(stranger.problem, /refused the credentials \(status 401\)/);
    assert.match(unsure.problem, /certificate/);
    rmSync(folder, { recursive: true });
  });
});
