import assert from "node:assert/strict";
import { beforeEach, describe, it } from "mocha";
import { formatKey } from "../../domain/pipeline.ts";
import { BoardStore } from "../../scaler/board-store.ts";
import type { AnsweredBoard } from "../../scaler/keda-answer.ts";
import { KedaFeed } from "../../scaler/keda-feed.ts";
import { PipelineCatalogue } from "../../scaler/pipeline-catalogue.ts";
import { testPipeline } from "./support/test-pipeline.ts";

describe("KedaFeed", () => {
  const cards = testPipeline();
  const scans = testPipeline({ name: "scans", stages: ["detect"] });
  let catalogue: PipelineCatalogue;
  let boards: BoardStore<AnsweredBoard>;
  let changes: number;
  const start = () => new KedaFeed({ catalogue, boards, onChange: () => void changes++ });
  const boardOf = ({ key }: typeof cards, atMs: number): AnsweredBoard => {
    const stage = { stage: "detect", metricValue: 3, active: true, replicasReady: 2 };
    return { key, atMs, plan: { large: "plan" }, stages: [{ ...stage, more: "than is answered" } as typeof stage] };
  };
  const summary = (feed: KedaFeed) => {
    const { pipelines, gone, boards: newer } = feed.take();
    return [pipelines.map(({ key }) => formatKey(key)), gone.map(formatKey), newer.map(({ atMs }) => atMs)];
  };
  beforeEach(() => {
    catalogue = new PipelineCatalogue();
    boards = new BoardStore(error => assert.fail(String(error)));
    changes = 0;
  });

  it("gives at first all that there is, and of it what is answered alone", () => {
    catalogue.add(cards);
    catalogue.add(scans);
    boards.publish(boardOf(cards, 1));
    const known = start().take();
    const asked = (name: string) => ({ name, replicas: { min: 1 } });
    assert.deepEqual(known, {
      pipelines: [
        { key: cards.key, loadSource: "gateway", stages: [asked("detect"), asked("read")] },
        { key: scans.key, loadSource: "gateway", stages: [asked("detect")] },
      ],
      gone: [],
      boards: [
        {
          key: cards.key,
          atMs: 1,
          plan: true,
          stages: [{ stage: "detect", metricValue: 3, active: true, replicasReady: 2 }],
        },
      ],
    });
    assert.equal(changes, 0);
  });

  it("gives the newest of what has changed since, and says once that there is something", () => {
    catalogue.add(cards);
    catalogue.add(scans);
    const feed = start();
    feed.take();
    for (const atMs of [1, 2]) boards.publish(boardOf(cards, atMs));
    boards.publish({ ...boardOf(scans, 3), plan: null });
    assert.equal(changes, 1);
    const { pipelines, boards: newer } = feed.take();
    assert.deepEqual(
      newer.map(({ atMs, plan }) => [atMs, plan]),
      [
        [2, true],
        [3, null],
      ],
    );
    assert.deepEqual(pipelines, []);
    assert.deepEqual(summary(feed), [[], [], []]);
    boards.publish(boardOf(cards, 4));
    assert.equal(changes, 2);
    assert.deepEqual(summary(feed), [[], [], [4]]);
  });

  it("gives a pipeline that comes with its board, however long that was there before it", () => {
    const feed = start();
    feed.take();
    boards.publish(boardOf(cards, 1));
    assert.equal(changes, 0);
    catalogue.add(cards);
    assert.equal(changes, 1);
    assert.deepEqual(summary(feed), [["shop/cards"], [], [1]]);
    catalogue.replace({ ...cards, loadSource: "other" });
    assert.deepEqual(summary(feed), [["shop/cards"], [], [1]]);
  });

  it("gives one that went, without its board; one that came again meanwhile is there", () => {
    catalogue.add(cards);
    const feed = start();
    feed.take();
    boards.publish(boardOf(cards, 1));
    catalogue.remove(cards.key);
    assert.deepEqual(summary(feed), [[], ["shop/cards"], []]);
    catalogue.add(cards);
    catalogue.remove(cards.key);
    boards.forget(cards.key);
    catalogue.add(cards);
    assert.equal(changes, 2);
    assert.deepEqual(summary(feed), [["shop/cards"], [], []]);
  });
});
