import assert from "node:assert/strict";
import { afterEach, describe, it } from "mocha";
import type { AccuracyEstimate } from "../../domain/accuracy-estimate.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { AccuracyMeter } from "../../gateway/accuracy-meter.ts";
import type { PipelineCode } from "../../gateway/stage.ts";
import { type Numbers, numberCode, numberPipeline, startNumberGateway } from "./number-pipeline.ts";
import { startEchoReplica } from "./replicas.ts";

const code = {
  ...numberCode,
  signals: ({ values }: Numbers) => ({ values: values.length }),
} as PipelineCode;

/** Right with a chance of a half for two values, more for more. */
const MODEL = { bias: 0, signals: [{ name: "values", mean: 2, scale: 1, weight: Math.log(3) }] };
const LIGHT = { count: "light", read: "light" };
const HEAVY = { count: "light", read: "heavy" };

function pipeline(): Pipeline {
  const plain = numberPipeline();
  const estimators = [LIGHT, HEAVY].map(variants => ({ variants, model: MODEL }));
  return { ...plain, accuracy: { ...plain.accuracy, estimators } };
}

/** One row of each stage, by one variant. */
const serveBy = (variants: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(variants).map(([stage, variant]) => [stage, new Map([[variant, 1]])]));
const round = ({ right, correction, ...same }: AccuracyEstimate) => ({
  ...same,
  right: Math.round(1e9 * right) / 1e9,
  correction: Math.round(1e9 * correction) / 1e9,
});
const createContext = (count: number): Numbers => ({ numbers: [], count, values: new Array(count).fill(1) });

describe("AccuracyMeter", () => {
  it("adds up the chances of each combination's answers", () => {
    const meter = new AccuracyMeter(pipeline(), code);
    meter.observe("a", serveBy(LIGHT), createContext(2));
    meter.observe("b", serveBy(LIGHT), createContext(3));
    meter.observe("c", serveBy(HEAVY), createContext(1));
    assert.deepEqual(meter.report().map(round), [
      { variants: LIGHT, requests: 2, right: 1.25, labels: 0, correction: 0 },
      { variants: HEAVY, requests: 1, right: 0.25, labels: 0, correction: 0 },
    ]);
  });

  it("counts a request without rows for the variant that served last", () => {
    const meter = new AccuracyMeter(pipeline(), code);
    meter.observe("a", serveBy({ count: "light" }), createContext(2));
    assert.deepEqual(meter.report(), []);
    meter.observe("b", serveBy(HEAVY), createContext(2));
    meter.observe("c", serveBy({ count: "light" }), createContext(2));
    meter.observe("d", serveBy({ count: "light", read: "heavy&light" }), createContext(2));
    assert.deepEqual(
      meter.report().map(({ variants, requests }) => [variants, requests]),
      [[HEAVY, 2]],
    );
  });

  it("counts an answer of several variants for each combination by the product of its shares, and a label too", () => {
    const meter = new AccuracyMeter(pipeline(), code);
    const served = {
      count: new Map([
        ["light", 4],
        ["heavy", 4],
      ]),
      read: new Map([
        ["heavy", 3],
        ["light", 1],
      ]),
    };
    meter.observe("a", served, createContext(3));
    assert.ok(meter.label("a", true));
    assert.deepEqual(meter.report().map(round), [
      { variants: LIGHT, requests: 0.125, right: 0.125 * 0.75, labels: 0.125, correction: 0.125 * 0.25 },
      { variants: HEAVY, requests: 0.375, right: 0.375 * 0.75, labels: 0.375, correction: 0.375 * 0.25 },
    ]);
  });

  it("holds a label of a mixed answer against the chance of the mix, so that no combination seems to have drifted", () => {
    const plain = pipeline();
    const estimators = [LIGHT, HEAVY].map((variants, i) => ({ variants, model: { ...MODEL, bias: i === 0 ? -1 : 1 } }));
    const meter = new AccuracyMeter({ ...plain, accuracy: { ...plain.accuracy, estimators } }, code);
    const read = new Map([
      ["heavy", 1],
      ["light", 1],
    ]);
    // A chance of a half for the mix: one of two is right.
    for (const [id, right] of [
      ["a", true],
      ["b", false],
    ] as const) {
      meter.observe(id, { count: new Map([["light", 1]]), read }, createContext(2));
      meter.label(id, right);
    }
    assert.deepEqual(
      meter.report().map(one => [one.labels, round(one).correction]),
      [
        [1, 0],
        [1, 0],
      ],
    );
  });

  it("counts the combinations of the largest shares alone where there are many", () => {
    const plain = numberPipeline();
    const names = Array.from({ length: 10 }, (_, i) => `v${i}`);
    const estimators = names.flatMap(count => names.map(read => ({ variants: { count, read }, model: MODEL })));
    const meter = new AccuracyMeter({ ...plain, accuracy: { ...plain.accuracy, estimators } }, code);
    const rows = new Map(names.map((name, i) => [name, i === 0 ? 91 : 1]));
    meter.observe("a", { count: rows, read: rows }, createContext(2));
    const report = meter.report();
    assert.equal(report.length, 16);
    assert.ok(report.reduce((sum, { requests }) => sum + requests, 0) > 0.95);
  });

  it("leaves estimators of other stages out", () => {
    const plain = numberPipeline();
    const estimators = [{ variants: { count: "light" }, model: MODEL }];
    const meter = new AccuracyMeter({ ...plain, accuracy: { ...plain.accuracy, estimators } }, code);
    meter.observe("a", serveBy({ count: "light" }), createContext(2));
    assert.deepEqual(meter.report(), []);
  });

  it("takes each label once", () => {
    const meter = new AccuracyMeter(pipeline(), code);
    for (const id of ["a", "b"]) meter.observe(id, serveBy(LIGHT), createContext(3));
    assert.deepEqual([meter.label("a", true), meter.label("b", false), meter.label("a", true)], [true, true, false]);
    const [{ labels, correction } = assert.fail()] = meter.report().map(round);
    assert.deepEqual([labels, correction], [2, 0.25 - 0.75]);
  });

  it("remembers ten thousand answers", () => {
    const meter = new AccuracyMeter(pipeline(), code);
    for (let i = 0; i <= 10_000; i++) meter.observe(`${i}`, serveBy(LIGHT), createContext(2));
    assert.deepEqual([meter.label("0", true), meter.label("1", true), meter.label("10000", true)], [false, true, true]);
  });

  it("counts no more combinations than a report has room for", () => {
    const plain = numberPipeline();
    const estimators = Array.from({ length: 2000 }, (_, i) => ({
      variants: { count: "light", read: `v${i}` },
      model: MODEL,
    }));
    const meter = new AccuracyMeter({ ...plain, accuracy: { ...plain.accuracy, estimators } }, code);
    for (const round of ["a", "b"])
      for (const [i, { variants }] of estimators.entries())
        meter.observe(`${round}${i}`, serveBy(variants), createContext(2));
    const report = meter.report();
    assert.ok(report.length > 500 && JSON.stringify(report).length < 160 * 1024, `${report.length}`);
    assert.ok(report.every(({ requests }) => requests === 2));
  });

  it("does nothing without estimators", () => {
    const meter = new AccuracyMeter(numberPipeline(), {
      ...code,
      signals: () => assert.fail("nobody asked"),
    });
    meter.observe("a", serveBy(LIGHT), createContext(2));
    assert.deepEqual(meter.report(), []);
    assert.equal(meter.label("a", true), false);
  });
});

describe("a gateway with estimators", () => {
  const closers: (() => Promise<void>)[] = [];

  afterEach(async () => {
    await Promise.all(closers.splice(0).map(close => close()));
  });

  it("reports estimates, takes labels of its answers, and shows both as metrics", async () => {
    const replica = await startEchoReplica();
    closers.push(() => replica.close());
    const options = { code, pipeline: pipeline() };
    const { gateway, url, post } = await startNumberGateway({ count: [replica], read: [replica] }, options);
    closers.push(() => gateway.close(0));
    const response = await post({ numbers: [7, 8] });
    const label = (body: unknown) =>
      fetch(`${url}/v1/pipelines/test/numbers/labels`, { method: "POST", body: JSON.stringify(body) });
    const requestId = response.headers.get("x-request-id");
    assert.equal((await label({ requestId, right: false })).status, 204);
    assert.equal((await label({ requestId, right: false })).status, 404);
    for (const wrong of [{}, { requestId }, { requestId, right: "no" }, { requestId: "", right: true }, 3])
      assert.equal((await label(wrong)).status, 400);
    const load = await (await fetch(`${url}/v1/pipelines/test/numbers/load`)).json();
    const [estimate, ...others] = (load as { estimates: AccuracyEstimate[] }).estimates;
    assert.deepEqual(others, []);
    assert.deepEqual(
      { ...estimate, variants: null },
      { variants: null, requests: 1, right: 0.5, labels: 1, correction: -0.5 },
    );
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const variants = Object.values(estimate?.variants ?? {}).join(",");
    assert.match(metrics, new RegExp(`^variscale_gateway_estimated_right_total\\{variants="${variants}"\\} 0.5$`, "m"));
    assert.match(metrics, new RegExp(`^variscale_gateway_labelled_requests_total\\{variants="${variants}"\\} 1$`, "m"));
  });
});
