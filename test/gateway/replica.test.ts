import assert from "node:assert/strict";
import { createServer } from "node:net";
import { describe, it } from "mocha";
import { Replica } from "../../gateway/replica.ts";
import { numberPipeline, stageOf } from "./number-pipeline.ts";

/** Where nothing listens. */
async function closedAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise(resolve => server.close(resolve));
  return `127.0.0.1:${port}`;
}

describe("Replica", () => {
  it("is left out for one step of the back-off by calls that fail together, and for longer by those that come after it", async () => {
    let nowMs = 1000;
    const replica = new Replica({ address: await closedAddress() }, stageOf(numberPipeline(), "count"), () => nowMs);
    const row = { x: { datatype: "UINT8" as const, shape: [2], data: new Uint8Array([1, 2]) } };
    const call = () => replica.infer({ id: "r", rows: [row], timeoutMs: 1000, signal: new AbortController().signal });
    const results = await Promise.all(Array.from({ length: 20 }, call));
    assert.ok(results.every(({ kind }) => kind === "unreachable"));
    assert.equal(replica.leftOutUntilMs, nowMs + 100);
    nowMs += 100;
    assert.equal(replica.isOpen, true);
    await call();
    assert.equal(replica.leftOutUntilMs, nowMs + 200);
    replica.remove();
  });
});
