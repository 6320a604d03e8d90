import assert from "node:assert/strict";
import { beforeEach, describe, it } from "mocha";
import { pino } from "pino";
import { PipelineControl } from "../../scaler/pipeline-control.ts";
import { ProcessConditions } from "../../scaler/process-conditions.ts";
import { SharedCondition } from "../../scaler/shared-condition.ts";
import { ManualClock } from "./support/manual-clock.ts";
import { testPipeline } from "./support/test-pipeline.ts";

const controlOf = (name: string) =>
  new PipelineControl({ pipeline: testPipeline({ name }), stored: null, epoch: 1, machineCores: null, nowMs: 0 });

describe("a condition that all pipelines share", () => {
  let clock: ManualClock;
  let conditions: ProcessConditions;
  let written: SharedCondition;
  const cards = controlOf("cards");
  const scans = controlOf("scans");
  const of = ({ pipeline: { key } }: PipelineControl) =>
    conditions.of(key).map(({ status, message }) => [status, message]);

  beforeEach(() => {
    clock = new ManualClock();
    conditions = new ProcessConditions(pino({ level: "silent" }));
    written = new SharedCondition("AuditLogWritten", conditions, clock);
    written.add(cards);
  });

  it("is unknown until something is told", () => {
    assert.deepEqual(of(cards), []);
  });

  it("is that of every pipeline, also of one that comes later", () => {
    written.add(scans);
    written.tell("the disk is full");
    assert.deepEqual([of(cards), of(scans)], [[[false, "the disk is full"]], [[false, "the disk is full"]]]);
    const late = controlOf("late");
    written.add(late);
    assert.deepEqual(of(late), [[false, "the disk is full"]]);
    written.tell(null);
    assert.deepEqual([of(cards), of(scans), of(late)], [[[true, ""]], [[true, ""]], [[true, ""]]]);
  });

  it("holds since it changed, however often it is told", () => {
    written.tell("the disk is full");
    const sinceMs = clock.nowMs();
    clock.set(sinceMs + 5000);
    written.tell("the disk is full");
    assert.equal(conditions.of(cards.pipeline.key)[0]?.sinceMs, sinceMs);
    written.tell(null);
    assert.equal(conditions.of(cards.pipeline.key)[0]?.sinceMs, sinceMs + 5000);
  });

  it("leaves a pipeline that is gone alone, and is known of it when it comes again", () => {
    written.tell(null);
    written.remove(cards);
    conditions.forget(cards.pipeline.key);
    written.tell("the disk is full");
    assert.deepEqual(of(cards), []);
    written.add(cards);
    assert.deepEqual(of(cards), [[false, "the disk is full"]]);
  });
});
