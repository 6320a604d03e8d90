import assert from "node:assert/strict";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, it } from "mocha";
import { pino } from "pino";
import { KubernetesClient } from "../../runtime/kubernetes.ts";
import { openEnvelope, sealEnvelope } from "../../runtime/state-envelope.ts";
import type { AnsweredBoard } from "../../scaler/keda-answer.ts";
import { PipelineControl } from "../../scaler/pipeline-control.ts";
import { type BoardBody, type BoardWrite, boardObject, boardObjectName } from "../../scaler/shared-board.ts";
import { SharedBoards } from "../../scaler/shared-boards.ts";
import { KubernetesApi } from "../support/kubernetes-api.ts";
import { ManualClock, until } from "./support/manual-clock.ts";
import { testPipeline } from "./support/test-pipeline.ts";

const CONFIG_MAPS = "/api/v1/configmaps";
const NOW_MS = 1_700_000_000_000;
const DATA = "board.json.gz";
const pipeline = testPipeline({ stages: ["detect"] });
const { key } = pipeline;

// biome-ignore lint/suspicious/noExplicitAny: tests edit what another version may have written
type Any = any;

describe("SharedBoards", () => {
  let api: KubernetesApi;
  let client: KubernetesClient;
  let boards: SharedBoards;
  let followed: AnsweredBoard[];
  let warnings: string[];
  let own: number;
  let leaseEpoch: number;
  let served: string[];
  let gone: string[];

  beforeEach(async () => {
    api = await KubernetesApi.start();
    api.collections.add(CONFIG_MAPS);
    client = new KubernetesClient(api.config());
    followed = [];
    warnings = [];
    own = 0;
    leaseEpoch = 0;
    served = [];
    gone = [];
    boards = new SharedBoards({
      ...{ client, namespace: "scalers", lease: "test", clock: new ManualClock(), random: Math.random },
      logger: pino({ level: "warn" }, { write: line => void warnings.push(JSON.parse(line).msg) }),
      served: () => new Set(served),
      onGone: ({ name }) => gone.push(name),
      isOwn: ({ epoch }) => epoch === own,
      leaseEpoch: () => leaseEpoch,
      onBoard: board => followed.push(board),
    });
    await boards.untilSynced(5000);
  });

  afterEach(async () => {
    boards.close();
    client.close();
    await api.close();
  });

  /** A leader's board of a plan; `decisions` are counted in its state. */
  function bodyOf(write: BoardWrite): BoardBody {
    const options = { pipeline, stored: null, epoch: write.epoch, machineCores: null, nowMs: NOW_MS };
    const control = new PipelineControl(options);
    const board = control.tick([{ atMs: NOW_MS, rateRps: 50 }], [], NOW_MS);
    assert.notEqual(board.plan, null);
    return boardObject("test", board, control.snapshot(NOW_MS), write, NOW_MS);
  }

  /** Another version's, where `edit` says how that differs. */
  function put(write: BoardWrite, edit: (payload: Any) => void = () => undefined): void {
    const { metadata, binaryData } = bodyOf(write);
    const opened = openEnvelope(gunzipSync(Buffer.from(binaryData[DATA] ?? "", "base64")).toString());
    assert.ok(typeof opened !== "string");
    const payload = opened.payload as Any;
    edit(payload);
    const data = gzipSync(sealEnvelope("test", payload, NOW_MS)).toString("base64");
    putData(write, data, metadata);
  }

  function putData(write: BoardWrite, data: string, metadata = bodyOf(write).metadata): void {
    const name = boardObjectName("test", key);
    api.put(CONFIG_MAPS, { metadata: { ...metadata, name, namespace: "scalers" }, binaryData: { [DATA]: data } });
  }

  async function untilSeen(write: BoardWrite): Promise<void> {
    await until(() => JSON.stringify(boards.newest) === JSON.stringify(write), "the write");
  }

  const countOf = (board: AnsweredBoard | null | undefined) => board?.stages[0]?.metricValue;

  it("answers from a board whose state is of another version, says so once, and goes on from the last that it can read", async () => {
    put({ epoch: 5, number: 1 });
    await untilSeen({ epoch: 5, number: 1 });
    const known = boards.stored(key);
    assert.equal(known?.epoch, 5);
    assert.equal(boards.problemOf(key), null);
    for (const [number, metricValue] of [7, 8, 9].entries()) {
      put({ epoch: 6, number: number + 1 }, payload => {
        payload.stages[0].metricValue = metricValue;
        payload.stages[0].somethingNew = true;
        payload.state.control.schemaVersion = 2;
        // Scalers of earlier versions do not say it.
        if (number === 2) delete payload.isPlanned;
      });
      await untilSeen({ epoch: 6, number: number + 1 });
      assert.equal(countOf(followed.at(-1)), metricValue);
      assert.equal(countOf(boards.answered(key)), metricValue);
      assert.ok(boards.answered(key)?.plan, "KEDA gets a count of it");
    }
    assert.deepEqual(boards.stored(key), known);
    assert.match(boards.problemOf(key) ?? "", /ConfigMap scalers\/test-board-.*another version.*schemaVersion/);
    assert.equal(warnings.length, 1);
    // A leader of another millennium: none could come after it.
    put({ epoch: 999_999_999_999_999, number: 1 });
    put({ epoch: 7, number: 1 });
    await untilSeen({ epoch: 7, number: 1 });
    assert.equal(boards.problemOf(key), null);
    assert.equal(boards.stored(key)?.epoch, 7);
  });

  it("reads the boards of a leader that came above a ConfigMap which was a day ahead of the clock", async () => {
    const ahead = Math.floor(new ManualClock().nowMs() / 1000) + 86_401;
    put({ epoch: 5, number: 1 });
    await untilSeen({ epoch: 5, number: 1 });
    put({ epoch: ahead, number: 1 });
    put({ epoch: 5, number: 2 });
    await untilSeen({ epoch: 5, number: 2 });
    leaseEpoch = ahead;
    put({ epoch: ahead, number: 2 });
    await untilSeen({ epoch: ahead, number: 2 });
    assert.equal(boards.stored(key)?.epoch, ahead);
  });

  it("vouches for nothing of a board of which nothing can be read, and keeps the state before it", async () => {
    put({ epoch: 5, number: 1 });
    await untilSeen({ epoch: 5, number: 1 });
    putData({ epoch: 5, number: 2 }, "bm8gYm9hcmQ=");
    await untilSeen({ epoch: 5, number: 2 });
    assert.equal(followed.length, 1);
    assert.equal(boards.answered(key), null);
    assert.equal(boards.stored(key)?.epoch, 5);
    assert.match(boards.problemOf(key) ?? "", /can't be unpacked: .* until it is stale/);
    assert.equal(warnings.length, 1);
  });

  it("reads all others where one is nested too deeply to be checked", async () => {
    const depth = 200_000;
    const payload = `${"[".repeat(depth)}${"]".repeat(depth)}`;
    const text = `{"schemaVersion":1,"savedAt":"2026-01-01T00:00:00Z","sha256":"","payload":${payload}}`;
    putData({ epoch: 5, number: 1 }, gzipSync(text).toString("base64"));
    const body = bodyOf({ epoch: 5, number: 2 });
    const annotations = { ...body.metadata.annotations, "variscale.dev/pipeline": "shop/scans" };
    const metadata = { ...body.metadata, annotations, name: "scans", namespace: "scalers" };
    api.put(CONFIG_MAPS, { ...body, metadata });
    const objects = await boards.readAll();
    assert.deepEqual([...objects.keys()].sort(), ["shop/cards", "shop/scans"]);
    assert.equal(boards.stored(key), null);
    assert.match(boards.problemOf(key) ?? "", /its sha256 does not match/);
  });

  it("forgets what is gone, but for what is served", async () => {
    const remove = () => api.remove(CONFIG_MAPS, "scalers", boardObjectName("test", key));
    put({ epoch: 5, number: 1 });
    await untilSeen({ epoch: 5, number: 1 });
    served = ["shop/cards"];
    remove();
    await until(() => boards.objects.length === 0, "it is gone");
    assert.ok(boards.answered(key));
    put({ epoch: 5, number: 2 });
    await untilSeen({ epoch: 5, number: 2 });
    served = [];
    remove();
    await until(() => gone.length > 0, "it is forgotten");
    assert.deepEqual([boards.answered(key), boards.stored(key), gone], [null, null, ["cards"]]);
  });

  it("unpacks what this process wrote itself only when it is asked for", async () => {
    own = 8;
    // What would be found to be wrong if it were looked at.
    putData({ epoch: 8, number: 1 }, "bm8gYm9hcmQ=");
    await untilSeen({ epoch: 8, number: 1 });
    assert.deepEqual([boards.problemOf(key), warnings.length, followed.length], [null, 0, 0]);
    put({ epoch: 8, number: 2 }, payload => {
      payload.stages[0].metricValue = 4;
    });
    await untilSeen({ epoch: 8, number: 2 });
    assert.equal(followed.length, 0);
    assert.equal(countOf(boards.answered(key)), 4);
    assert.equal(boards.stored(key)?.epoch, 8);
    putData({ epoch: 9, number: 1 }, "bm8gYm9hcmQ=");
    await untilSeen({ epoch: 9, number: 1 });
    assert.equal(warnings.length, 1);
  });
});
