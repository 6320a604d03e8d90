import assert from "node:assert/strict";
import { Client, credentials, status } from "@grpc/grpc-js";
import { service as healthService } from "grpc-health-check";
import { describe, it } from "mocha";
import { RunningScaler } from "./support/running-scaler.ts";
import { testPipeline } from "./support/test-pipeline.ts";

function healthOf(port: number, service: string): Promise<string> {
  const { Check } = healthService as unknown as {
    Check: {
      path: string;
      requestSerialize: (value: object) => Buffer;
      responseDeserialize: (bytes: Buffer) => { status: string };
    };
  };
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      Check.path,
      Check.requestSerialize,
      Check.responseDeserialize,
      { service },
      (error, value) => {
        client.close();
        if (error) reject(error);
        else resolve(value?.status ?? "none");
      },
    );
  });
}

describe("startScaler()", () => {
  it("tells grpc.health.v1 that it serves, for the server and for its service", async () => {
    const running = await RunningScaler.start();
    try {
      const { keda, switchers } = running.scaler.ports;
      assert.equal(await healthOf(keda, ""), "SERVING");
      assert.equal(await healthOf(keda, "externalscaler.ExternalScaler"), "SERVING");
      assert.equal(await healthOf(switchers, "variscale.switcher.v1.SwitcherControl"), "SERVING");
      await assert.rejects(healthOf(keda, "other"), { code: status.NOT_FOUND });
    } finally {
      await running.close();
    }
  });

  it("says which port is taken, and leaves nothing running", async () => {
    const running = await RunningScaler.start();
    try {
      for (const name of ["keda", "switchers", "http"] as const) {
        const ports = { keda: 0, switchers: 0, http: 0, [name]: running.scaler.ports[name] };
        const timers = running.clock.timers;
        await assert.rejects(RunningScaler.start({ ports }, running.clock), {
          code: "failed_precondition",
          message: new RegExp(`cannot listen on 127\\.0\\.0\\.1:${running.scaler.ports[name]}`),
        });
        assert.equal(running.clock.timers, timers);
      }
    } finally {
      await running.close();
    }
  });

  it("refuses two pipelines of one name, and a load source that is no URL", async () => {
    await assert.rejects(RunningScaler.start({ pipelines: [testPipeline(), testPipeline()] }), {
      code: "invalid_argument",
      message: /two pipelines are named shop\/cards/,
    });
    await assert.rejects(RunningScaler.start({ loadSources: { gateway: { kind: "gateway", url: "nowhere" } } }), {
      code: "invalid_argument",
    });
  });

  it("keeps pipelines of the same name in two namespaces apart", async () => {
    const pipelines = [testPipeline(), testPipeline({ namespace: "bank", stages: ["check"] })];
    const running = await RunningScaler.start({ pipelines });
    try {
      const bank = { name: "x", namespace: "bank", scalerMetadata: { pipeline: "cards", stage: "check" } };
      assert.equal((await running.keda.spec(bank)).metricSpecs[0]?.metricName, "variscale-cards-check");
      await assert.rejects(running.keda.spec({ ...bank, namespace: "shop" }), { code: status.INVALID_ARGUMENT });
    } finally {
      await running.close();
    }
  });

  it("stops once, whoever asks how often, and answers no more", async () => {
    const running = await RunningScaler.start();
    await Promise.all([running.scaler.close(), running.scaler.close()]);
    assert.equal(running.clock.timers, 0);
    await assert.rejects(fetch(running.url("/readyz")));
    await running.close();
  });
});
