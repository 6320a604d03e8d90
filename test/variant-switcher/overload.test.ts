import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { IMAGE_CONTRACT, imageModel, writeModel } from "../support/models.ts";
import { FollowingSwitcher } from "../support/scaler-stub.ts";
import { until } from "../support/switcher-harness.ts";

describe("a switcher under overload", () => {
  let following: FollowingSwitcher;
  let scaler: FollowingSwitcher["scaler"];
  let switcher: FollowingSwitcher["switcher"];

  beforeEach(async () => {
    following = await FollowingSwitcher.start(folder => ({
      variants: [
        { ...writeModel(folder, "light", imageModel(1, 0)), points: [{ batch: 1, latencyMs: 1 }] },
        { ...writeModel(folder, "heavy", imageModel(300, 1000)), points: [{ batch: 1, latencyMs: 100 }] },
      ],
      contract: IMAGE_CONTRACT,
      defaultVariant: "light",
      queue: { maxRows: 8, maxBytes: 2 ** 24 },
    }));
    ({ scaler, switcher } = following);
  });
  afterEach(() => following.close());

  /** One row of bytes that are all `value`; its score is `value`, plus 1000 from the heavy variant. */
  const infer = async (value: number, headers: Record<string, string> = {}) => {
    const header = JSON.stringify({
      inputs: [{ name: "image", datatype: "UINT8", shape: [1, 240, 192], parameters: { binary_data_size: 46_080 } }],
    });
    const body = new Uint8Array(Buffer.concat([Buffer.from(header), Buffer.alloc(46_080, value)]));
    const response = await switcher.http("/v2/models/affine/infer", {
      method: "POST",
      headers: { "inference-header-content-length": String(header.length), ...headers },
      body,
    });
    return {
      status: response.status,
      retryAfter: response.headers.get("retry-after"),
      body: (await response.json()) as {
        model_version?: string;
        parameters?: Record<string, unknown>;
        error?: string;
        outputs?: { data: number[] }[];
      },
    };
  };

  it("serves by its lighter rung what the heavy one could not in time, without a Switch, and answers everybody", async () => {
    scaler.assign(1, { top: "heavy", floor: "light", batch: 1, budgetMs: 350 });
    await scaler.untilAcked(1);
    await until(async () => (await switcher.variants())["light"]?.state === "resident", "the floor is in memory");
    const before = (await switcher.switches()).length;
    scaler.stop();
    const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => infer(i)));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
    const served = answers.map(({ body }) => body.model_version);
    assert.ok(served.includes("light"), String(served));
    for (const { body } of answers) {
      const { variant, why, queued_rows: queuedRows, row_ms: rowMs, ...others } = body.parameters ?? {};
      assert.deepEqual([variant, others], [body.model_version, {}]);
      assert.equal(why, variant === "heavy" ? "top" : "late");
      assert.ok(Number.isInteger(queuedRows) && (rowMs as number) > 0, JSON.stringify(body.parameters));
    }
    for (const [i, { body }] of answers.entries())
      assert.equal(Math.round(body.outputs?.[0]?.data[0] ?? 0), body.model_version === "heavy" ? 1000 + i : i);
    assert.equal((await switcher.switches()).length, before);
    // It has the time for the heavy one however much slower the machine was found to be meanwhile.
    assert.equal((await infer(9, { "x-request-timeout-ms": "10000" })).body.model_version, "heavy");
  });

  it("refuses what does not fit into its queue with 503 and Retry-After", async () => {
    scaler.assign(1, { top: "heavy", batch: 1 });
    await scaler.untilAcked(1);
    // More than are served while they all arrive, however slowly this machine lets them arrive.
    const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => infer(i)));
    const refused = answers.filter(({ status }) => status === 503);
    assert.ok(refused.length >= 1 && refused.length <= 52, `${refused.length} refused`);
    assert.ok(
      refused.every(({ retryAfter, body }) => retryAfter === "1" && /over the limit of 8/.test(body.error ?? "")),
    );
    assert.equal(answers.filter(({ status }) => status === 200).length, answers.length - refused.length);
    assert.ok(
      (await switcher.metrics()).includes(`dropped_rows_total{stage="affine",reason="queue_full"} ${refused.length}\n`),
    );
  });

  it("refuses at once what not even its lightest rung can do in time, with 503", async () => {
    scaler.assign(1, { top: "heavy", batch: 1 });
    await scaler.untilAcked(1);
    // Less than a batch is expected to take, and more than it takes to read a request on a busy machine.
    const [first, ...late] = await Promise.all([
      infer(0),
      infer(1, { "x-request-timeout-ms": "40" }),
      infer(2, { "x-request-timeout-ms": "41" }),
    ]);
    assert.equal(first?.status, 200);
    assert.deepEqual(
      late.map(({ status }) => status),
      [503, 503],
    );
    assert.match(late[0]?.body.error ?? "", /even the lightest rung can't serve it within the \d+ ms that are left/);
    await until(() => {
      const status = scaler.statuses.at(-1);
      return status?.droppedRows === 2 && status.servedRows === 1;
    }, "counted");
  });
});
