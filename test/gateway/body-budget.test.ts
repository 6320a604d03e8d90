import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it } from "mocha";
import { ByteBudget } from "../../runtime/byte-budget.ts";
import { startNumberGateway, until } from "./number-pipeline.ts";
import { startEchoReplica } from "./replicas.ts";

describe("the bytes that a gateway holds", () => {
  it("count while they arrive; a request that finds no room is offered and dropped, and answered before its body came", async () => {
    const budget = new ByteBudget(100_000);
    const replica = await startEchoReplica();
    const { gateway, post } = await startNumberGateway({ count: [replica], read: [replica] }, { budget });
    const socket = connect(gateway.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write("POST /v1/pipelines/test/numbers HTTP/1.1\r\nHost: x\r\nContent-Length: 95000\r\n\r\n");
    socket.write(Buffer.alloc(90_000));
    await until(() => budget.usedBytes >= 90_000);

    const refused = await post("x".repeat(95_000), { "x-request-id": "no-room" });
    assert.deepEqual([refused.status, refused.headers.get("x-request-id")], [503, "no-room"]);
    assert.equal(refused.headers.get("retry-after"), "1");
    assert.equal(((await refused.json()) as { reason: string }).reason, "queue_full");
    const { offered, dropped } = gateway.load();
    assert.deepEqual([offered, dropped["queue_full"]], [1, 1]);

    assert.equal((await post({ numbers: [1, 2] })).status, 200);
    socket.destroy();
    await until(() => budget.usedBytes === 0);
    assert.equal((await post("x".repeat(95_000))).status, 400);
    await gateway.close(0);
    await replica.close();
  });

  it("are given up by the largest unfinished body for a smaller request, which is answered", async () => {
    const budget = new ByteBudget(100_000);
    const replica = await startEchoReplica();
    const { gateway, post } = await startNumberGateway({ count: [replica], read: [replica] }, { budget });
    const stalled = connect(gateway.port, "127.0.0.1").setEncoding("latin1");
    let told = "";
    stalled.on("data", text => {
      told += text;
    });
    stalled.on("error", () => {});
    stalled.write("POST /v1/pipelines/test/numbers HTTP/1.1\r\nHost: x\r\nContent-Length: 99900\r\n\r\n");
    stalled.write(Buffer.alloc(99_899));
    await until(() => budget.usedBytes === 99_899);
    assert.equal((await post({ numbers: Array(100).fill(1) })).status, 200);
    await until(() => told !== "");
    assert.match(told, /^HTTP\/1.1 503 .*queue_full/is);
    const { offered, dropped } = gateway.load();
    assert.deepEqual([offered, dropped["queue_full"]], [2, 1]);
    stalled.destroy();
    await gateway.close(0);
    await replica.close();
  });

  it("are given back by a body that stops, whose request is offered and dropped", async () => {
    const replica = await startEchoReplica();
    const table = { count: [replica], read: [replica] };
    const { gateway, url } = await startNumberGateway(table, { paceMs: 10 });
    const stopped = connect(gateway.port, "127.0.0.1").setEncoding("latin1");
    let told = "";
    stopped.on("data", text => {
      told += text;
    });
    stopped.on("error", () => {});
    stopped.write(
      "POST /v1/pipelines/test/numbers HTTP/1.1\r\nHost: x\r\nX-Request-Id: slow\r\nContent-Length: 9\r\n\r\n{",
    );
    await until(() => stopped.closed);
    assert.match(told, /^HTTP\/1.1 408 .*x-request-id: slow\r\n.*"deadline_exceeded","reason":"slow_body"/is);
    assert.match(told, /\r\nconnection: close\r\n/i);
    const { offered, dropped, inFlight } = gateway.load();
    assert.deepEqual([offered, dropped["slow_body"], inFlight], [1, 1, 0]);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    assert.match(metrics, /^variscale_gateway_requests_total\{outcome="dropped",reason="slow_body"\} 1$/m);
    await gateway.close(0);
    await replica.close();
  });

  it("are few where a label is written", async () => {
    const replica = await startEchoReplica();
    const { gateway, url } = await startNumberGateway({ count: [replica], read: [replica] });
    const body = `{"requestId":"a","right":true${" ".repeat(20_000)}}`;
    const answer = await fetch(`${url}/v1/pipelines/test/numbers/labels`, { method: "POST", body });
    assert.equal(answer.status, 413);
    await gateway.close(0);
    await replica.close();
  });
});
