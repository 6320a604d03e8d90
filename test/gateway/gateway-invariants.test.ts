import assert from "node:assert/strict";
import { connect } from "node:net";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { LoadReport } from "../../domain/load-report.ts";
import { startNumberGateway, until } from "./number-pipeline.ts";
import { startEchoReplica, startMoodyReplica } from "./replicas.ts";

const MOODS = ["answer", "answer", "answer", "reset", "full", "late", "fail", "lie"] as const;

/** What every LoadReport says at any time. */
function assertReconciles(load: LoadReport): void {
  const dropped = Object.values(load.dropped).reduce((sum, count) => sum + count, 0);
  const ended = load.served + dropped + load.lost + load.failed + load.invalid + load.cancelled;
  assert.equal(load.offered, ended + load.inFlight);
}

describe("the gateway's counters", () => {
  it("reconcile with what clients saw, whatever replicas and clients do", async () => {
    const request = fc.record({
      numbers: fc.array(fc.nat(500), { maxLength: 6 }),
      timeoutMs: fc.constantFrom("30", "300", "3000", "x"),
      isValid: fc.constantFrom(true, true, true, false),
      goesAway: fc.constantFrom(false, false, false, true),
    });
    const property = fc.asyncProperty(
      fc.array(fc.constantFrom(...MOODS), { minLength: 1, maxLength: 40 }),
      fc.array(request, { minLength: 1, maxLength: 30 }),
      async (moods, requests) => {
        let turn = 0;
        const choose = () => moods[turn++ % moods.length] ?? "answer";
        const replicas = await Promise.all([1, 2, 3].map(() => startMoodyReplica(choose)));
        const table = { count: replicas.slice(0, 2), read: replicas };
        const { post, gateway } = await startNumberGateway(table, { concurrency: 4, queue: 6 });
        const seen: (number | "gone")[] = await Promise.all(
          requests.map(async ({ numbers, timeoutMs, isValid, goesAway }, i) => {
            const signal = goesAway ? AbortSignal.timeout(i % 7) : undefined;
            const sent = post(isValid ? { numbers } : "[", { "x-request-timeout-ms": timeoutMs }, signal);
            const status = sent.then(async response => {
              await response.text();
              return response.status;
            });
            assertReconciles(gateway.load());
            return status.catch(() => "gone" as const);
          }),
        );
        await until(() => gateway.load().inFlight === 0);
        const load = gateway.load();
        assertReconciles(load);
        // A client that went away may have been counted before its going was noticed, or not at all when it never sent all of it.
        const gone = seen.filter(status => status === "gone").length;
        const within = (counted: number, ...statuses: number[]) => {
          const count = seen.filter(status => statuses.includes(Number(status))).length;
          assert.ok(
            counted >= count && counted <= count + gone,
            `${counted} for ${count} of ${statuses} and ${gone} gone`,
          );
        };
        within(load.served, 200);
        within(load.invalid, 400);
        within(load.dropped["deadline"] ?? 0, 504);
        within(
          (load.dropped["queue_full"] ?? 0) + (load.dropped["replicas_full"] ?? 0) + (load.dropped["no_endpoint"] ?? 0),
          503,
        );
        within(load.lost + load.failed, 502);
        assert.ok(seen.every(status => status === "gone" || [200, 400, 502, 503, 504].includes(status)));
        await gateway.close(0);
        await Promise.all(replicas.map(replica => replica.close()));
      },
    );
    await fc.assert(property, { numRuns: 25, seed: 7 });
  });
});

describe("fuzzing the gateway", () => {
  it("answers every body and header, never with 500, and lives on", async () => {
    const replica = await startEchoReplica();
    const { gateway, post } = await startNumberGateway({ count: [replica], read: [replica] }, { maxBodyBytes: 2000 });
    const header = fc
      .string({ unit: fc.constantFrom(..."abcXYZ019 -_.,:;=%\t"), maxLength: 40 })
      .map(text => text.trim());
    const property = fc.asyncProperty(
      fc.oneof(
        fc.uint8Array({ maxLength: 3000 }),
        fc.json().map(text => new TextEncoder().encode(text)),
      ),
      fc.record(
        { "x-request-timeout-ms": header, "x-request-id": header, "content-type": header },
        { requiredKeys: [] },
      ),
      async (body, headers) => {
        const response = await post(body, headers as Record<string, string>);
        assert.ok([200, 400, 413, 504].includes(response.status), String(response.status));
        if (response.status !== 413) assert.match(response.headers.get("x-request-id") ?? "", /^[\x21-\x7e]+$/);
        await response.text();
      },
    );
    await fc.assert(property, { numRuns: 200, seed: 11 });
    assert.equal((await post({ numbers: [1] })).status, 200);
    await gateway.close(0);
    await replica.close();
  });

  it("lives on through bytes that are not HTTP", async () => {
    const replica = await startEchoReplica();
    const { gateway, post } = await startNumberGateway({ count: [replica], read: [replica] });
    const start = "POST /v1/pipelines/test/numbers HTTP/1.1\r\nHost: x\r\n";
    const pieces = fc.constantFrom(
      "Content-Length: 9\r\n",
      "Content-Length: -1\r\n",
      "\r\n",
      '{"numbers":',
      "\0",
      "%%",
      "Expect: 100-continue\r\n",
    );
    const property = fc.asyncProperty(fc.array(pieces, { maxLength: 8 }), async parts => {
      await new Promise<void>(resolve => {
        const socket = connect(gateway.port, "127.0.0.1", () => socket.end(start + parts.join("")));
        socket.on("error", () => {});
        socket.on("close", () => resolve());
        socket.resume();
      });
    });
    await fc.assert(property, { numRuns: 60, seed: 13 });
    assert.equal((await post({ numbers: [1] })).status, 200);
    await gateway.close(0);
    await replica.close();
  });
});
