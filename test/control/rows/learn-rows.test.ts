import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { twoStages } from "../../support/pipeline-fixture.ts";
import { Story } from "../story.ts";

/** Lets every stage serve so many rows a second, cumulative as switchers count them. */
function serving(rows: Readonly<Record<string, number>>, dropped = 0): (story: Story) => void {
  return story => {
    for (const [stage, perSecond] of Object.entries(rows)) {
      const views = story.views(stage).filter(({ ready }) => ready);
      for (const { pod, servedRows = 0, droppedRows = 0 } of views)
        story.report(
          stage,
          { servedRows: servedRows + perSecond / views.length, droppedRows: droppedRows + dropped / views.length },
          pod,
        );
    }
  };
}

const ALL_IN_TIME = { ended: 1000, inTime: 1000, latencyMs: null };

/** The fixture says: one row of `detect` for a request, four of `read` for each of these. */
const AS_MEASURED = { detect: 20, read: 80 };

function readFactors(story: Story): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(story.state.rowFactors).map(([stage, factor]) => [stage, Math.round(10 * factor) / 10]),
  );
}

describe("rows that requests make", () => {
  it("are learnt at the entry stage, planned with, and told where they are not as measured", () => {
    const story = new Story(twoStages());
    story.input = { lastMinute: ALL_IN_TIME };
    story.run(60, 20, serving(AS_MEASURED));
    const before = story.goalReplicas("read");
    const { seen: early, ...rest } = story.board.fanOuts["detect"] ?? {};
    assert.deepEqual(rest, { measured: 1, planned: 1 });
    assert.ok(Math.abs((early ?? 0) - 1) < 0.05, String(early));
    assert.equal(story.condition("FanOutDrifted")?.status, false);

    story.run(120, 20, serving({ detect: 50, read: 200 }));
    // Half of what was seen is forgotten in a minute, and a change has to last: the true 2.5 is reached later.
    assert.deepEqual(readFactors(story), { detect: 2 });
    const { seen = 0, planned = 0 } = story.board.fanOuts["detect"] ?? {};
    assert.ok(seen !== null && seen > 1.9 && planned > 1.9, JSON.stringify(story.board.fanOuts));
    const after = story.goalReplicas("read");
    assert.ok(after > before || story.goal("read") !== "heavy", `${before} replicas of read became ${after}`);
    const condition = story.condition("FanOutDrifted");
    assert.equal(condition?.status, true);
    assert.match(
      condition?.message ?? "",
      /^a request makes 2\.\d+ rows of detect, by the pipeline file .* 1, and plans/,
    );
  });

  it("come near the true number, wherever the last step of a tenth ended", () => {
    for (const rows of [0.65, 1.3, 1.6, 2, 2.2, 4]) {
      const story = new Story(twoStages());
      story.input = { lastMinute: ALL_IN_TIME };
      story.run(60, 20, serving(AS_MEASURED));
      story.run(360, 20, serving({ detect: 20 * rows, read: 80 * rows }));
      const { detect = 1 } = story.state.rowFactors;
      assert.ok(Math.abs(detect / rows - 1) < 0.03, `${detect} for ${rows}`);
    }
  });

  it("are learnt at later stages, for each row of the upstream stage", () => {
    const story = new Story(twoStages()).run(150, 20, serving({ detect: 20, read: 160 }));
    assert.deepEqual(readFactors(story), { read: 2 });
    assert.match(
      story.condition("FanOutDrifted")?.message ?? "",
      /^a row of detect makes 7\.9\d rows of read, .* 4, and plans/,
    );
  });

  it("are held against the variants that served the rows before, not against the top of the ladder", () => {
    const plain = twoStages();
    const fanOut = { default: 4, byUpstreamVariant: { light: 1 } };
    const stages = plain.stages.map(stage => (stage.name === "read" ? { ...stage, fanOut } : stage));
    const story = new Story({ ...plain, stages });
    story.input = { lastMinute: ALL_IN_TIME };
    const serve = serving({ detect: 20, read: 20 });
    story.run(150, 20, seen => {
      serve(seen);
      for (const { pod, servedRows = 0 } of seen.views("detect"))
        seen.report("detect", { serviceTimes: [{ variant: "light", rows: 1, batches: servedRows, totalMs: 0 }] }, pod);
    });
    assert.notEqual(story.goal("detect"), "light");
    assert.deepEqual(readFactors(story), {});
  });

  it("are as measured while they differ by less than a tenth, and while too few were seen", () => {
    assert.deepEqual(readFactors(new Story(twoStages()).run(120, 20, serving({ detect: 21, read: 80 }))), {});
    assert.deepEqual(readFactors(new Story(twoStages()).run(15, 20, serving({ detect: 50, read: 200 }))), {});
    assert.deepEqual(readFactors(new Story(twoStages()).run(120, 0.2, serving({ detect: 1, read: 4 }))), {});
  });

  it("make plans smaller only while requests are answered in time and nothing is dropped", () => {
    const fewer = { detect: 10, read: 40 };
    const unknown = new Story(twoStages()).run(150, 20, serving(fewer));
    assert.deepEqual(readFactors(unknown), {});
    assert.equal(unknown.board.fanOuts["detect"]?.seen, null);

    const inTime = new Story(twoStages());
    inTime.input = { lastMinute: ALL_IN_TIME };
    assert.deepEqual(readFactors(inTime.run(150, 20, serving(fewer))), { detect: 0.5 });

    const dropping = new Story(twoStages());
    dropping.input = { lastMinute: ALL_IN_TIME };
    assert.deepEqual(readFactors(dropping.run(150, 20, serving(fewer, 1))), {});
  });

  it("say nothing without load data, nor where a pod counts from zero again", () => {
    const story = new Story(twoStages()).run(60, 20, serving(AS_MEASURED));
    story.run(60, null, serving({ detect: 500, read: 500 }));
    story.report("detect", { servedRows: 0, droppedRows: 0 });
    story.run(60, 20, serving(AS_MEASURED));
    assert.deepEqual(readFactors(story), {});
  });

  it("are bounded, whatever a switcher says", () => {
    const story = new Story(twoStages()).run(60, 20, serving({ detect: 1e12, read: Number.NaN }));
    assert.deepEqual(readFactors(story), { detect: 100 });
  });

  for (const [slow, fast, lagS, scrapeS] of [
    [2, 200, 1, 1],
    [10, 500, 1, 1],
    [10, 500, 15, 15],
  ] as const)
    it(`are as measured while load rises from ${slow} to ${fast} rps and its source lags by ${lagS} s, every ${scrapeS} s`, () => {
      const story = new Story(twoStages());
      let rps: number = slow;
      const rates = new Map<number, number>();
      const seconds = (count: number) =>
        story.run(count, rps, () => {
          rates.set(story.nowMs + 1000, rps);
          serving({ detect: rps, read: 4 * rps })(story);
          const newestS = Math.floor(((story.nowMs + 1000) / 1000 - lagS) / scrapeS) * scrapeS;
          const known = Array.from({ length: scrapeS }, (_, i) => rates.get((newestS - i) * 1000) ?? slow);
          story.input = {
            lastMinute: ALL_IN_TIME,
            load: { atMs: newestS * 1000, rateRps: known.reduce((sum, rate) => sum + rate, 0) / scrapeS },
          };
          assert.deepEqual(readFactors(story), {});
          assert.notEqual(story.condition("FanOutDrifted")?.status, true);
        });
      seconds(120);
      rps = fast;
      seconds(200);
      assert.equal(story.condition("FanOutDrifted")?.status, false);
    });

  it("are as the file says at stages, and after stages, that no switcher is connected for", () => {
    for (const foreign of ["detect", "read"]) {
      const story = new Story(twoStages());
      story.input = { lastMinute: ALL_IN_TIME };
      const stages = ["detect", "read"].filter(name => name !== foreign);
      story.run(200, 20, () => {
        const serve = serving(AS_MEASURED);
        serve(story);
        const switchers = stages.flatMap(name => story.views(name));
        story.input = { ...story.input, switchers, readyReplicas: { [foreign]: 1 } };
      });
      assert.deepEqual(readFactors(story), {});
      assert.equal(story.board.fanOuts["read"]?.seen ?? null, null);
      assert.notEqual(story.condition("FanOutDrifted")?.status, true);
    }
  });

  it("do not make plans smaller while the cluster counts more ready replicas than are connected", () => {
    const story = new Story(twoStages());
    story.input = { lastMinute: ALL_IN_TIME, liveReplicas: { detect: 99, read: 99 } };
    story.run(150, 20, serving({ detect: 10, read: 40 }));
    assert.deepEqual(readFactors(story), {});
  });

  it("are at least what the file says again once replicas are no longer seen", () => {
    const story = new Story(twoStages());
    story.input = { lastMinute: ALL_IN_TIME };
    story.run(150, 20, serving({ detect: 10, read: 40 }));
    assert.deepEqual(readFactors(story), { detect: 0.5 });
    story.input = { lastMinute: ALL_IN_TIME, liveReplicas: { detect: 99, read: 99 } };
    story.run(20, 20, serving({ detect: 10, read: 40 }));
    assert.deepEqual(readFactors(story), {});
  });
});
