import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { ReplicaStatistics } from "../../../bench/ladder/replica-times.ts";
import { affineConfig, TestFolder, TestSwitcher } from "../../support/switcher-harness.ts";

describe("ReplicaStatistics", function () {
  this.timeout(60_000);

  it("has the batches of a switcher by variant and rows, also after that has ended", async () => {
    const folder = new TestFolder();
    const statistics = new ReplicaStatistics();
    const switcher = await TestSwitcher.startReady(affineConfig(folder.path));
    const replica = { stage: "affine", pod: "affine-0", address: `127.0.0.1:${switcher.switcher.ports.http}` };
    const count = () =>
      statistics.all.map(({ stage, pod, serviceTimes }) => [
        `${stage}/${pod}`,
        ...serviceTimes.map(({ variant, rows, batches }) => `${batches} of ${rows} by ${variant}`),
      ]);
    try {
      for (const rows of [[1], [2, 3], [4, 5]]) assert.equal((await switcher.infer(rows)).status, 200);
      await statistics.look([replica]);
      const [times] = statistics.all;
      assert.ok(times?.serviceTimes.every(({ totalMs }) => totalMs > 0 && totalMs < 10_000));
      assert.deepEqual(count(), [["affine/affine-0", "5 of 1 by a"]]);
    } finally {
      await switcher.close();
      folder.delete();
    }
    await statistics.look([replica]);
    assert.deepEqual(count(), [["affine/affine-0", "5 of 1 by a"]]);
  });
});
