import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createSecureContext } from "node:tls";
import { credentials, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, it } from "mocha";
import { createLogger } from "../../runtime/logger.ts";
import { TlsFolder } from "../../runtime/tls-folder.ts";
import { BoardStore } from "../../scaler/board-store.ts";
import type { LogFields } from "../../scaler/grpc-call.ts";
import type { AnsweredBoard } from "../../scaler/keda-answer.ts";
import { KedaThread, type KedaThreadOptions } from "../../scaler/keda-thread.ts";
import type { ScalerOptions } from "../../scaler/main.ts";
import { PipelineCatalogue } from "../../scaler/pipeline-catalogue.ts";
import type { Refusal, ScaledObjectName } from "../../scaler/refusals.ts";
import { TestAuthority, type TlsFiles } from "../support/certificates.ts";
import { SecretFolder } from "../support/secret-folder.ts";
import { ManualClock } from "./support/manual-clock.ts";
import { KedaClient, Received, RunningScaler, refOf } from "./support/running-scaler.ts";
import { testPipeline } from "./support/test-pipeline.ts";

const KEDA_CLIENT = new URL("./support/running-scaler.js", import.meta.url).href;
const KEDA_THREAD = new URL("../../scaler/keda-thread.js", import.meta.url).href;

/** Asks for the metric all the time until it is told to stop: how it was answered, and when, ms since 1970. */
const ASKING = `
  const { KedaClient, refOf } = await import(${JSON.stringify(KEDA_CLIENT)});
  const keda = new KedaClient(Number(process.argv[1]));
  const answers = [];
  process.stdin.on("data", () => {
    console.log(JSON.stringify(answers));
    process.exit();
  });
  for (;;) {
    const code = await keda.metrics(refOf()).then(() => 0, error => error.code);
    if (answers.length === 0) console.log("asking");
    answers.push({ code, atMs: Date.now() });
    await new Promise(resolve => setTimeout(resolve, 10));
  }
`;

/** What the other thread is told arrives a moment later. */
async function soon(check: () => Promise<void>): Promise<void> {
  for (const endMs = performance.now() + 5000; ; await new Promise(resolve => setTimeout(resolve, 5))) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > endMs) throw error;
    }
  }
}

/** A thread of this script. */
function threadOf(script: string): URL {
  const opening =
    'import { parentPort } from "node:worker_threads"; parentPort.postMessage({ kind: "listening", port: 1 });';
  return new URL(`data:text/javascript,${encodeURIComponent(opening + script)}`);
}

describe("KedaThread", () => {
  const pipeline = testPipeline({ minReplicas: 0 });
  let catalogue: PipelineCatalogue;
  let boards: BoardStore<AnsweredBoard>;
  let logged: string[];
  const start = (more: Partial<KedaThreadOptions> = {}) => {
    const [observe, onRefused] = [() => undefined, () => undefined];
    const log = (fields: LogFields, message: string) => void logged.push(`${message} ${JSON.stringify(fields)}`);
    const logger = { warn: log, error: log };
    const told = { catalogue, boards, observe, onRefused, logger, staleAfterMs: 30_000 };
    return KedaThread.start({ ...told, host: "127.0.0.1", port: 0, tls: null, ...more });
  };
  beforeEach(() => {
    catalogue = new PipelineCatalogue();
    boards = new BoardStore<AnsweredBoard>(error => assert.fail(String(error)));
    logged = [];
    catalogue.add(pipeline);
  });

  it("tells streams what changes, and ends them with OK when it closes", async () => {
    const publish = (active: boolean) => {
      const stages = [{ stage: "detect", metricValue: active ? 2 : 0, active, replicasReady: 1 }];
      boards.publish({ key: pipeline.key, atMs: Date.now(), plan: {}, stages });
    };
    publish(false);
    const thread = await start();
    const keda = new KedaClient(thread.port);
    try {
      const active = new Received<{ result: boolean }>(keda.raw.StreamIsActive(refOf()));
      const spec = new Received(keda.raw.StreamMetricSpec(refOf()));
      const told = (...results: boolean[]) =>
        soon(async () => {
          const messages = results.map(result => ({ result }));
          assert.deepEqual(active.messages, messages);
        });
      await told(false);
      assert.equal(await keda.replicas(refOf()), 0);
      publish(true);
      await told(false, true);
      assert.equal(await keda.replicas(refOf()), 2);
      publish(false);
      await told(false, true, false);
      await soon(async () => assert.deepEqual([thread.openStreams, spec.messages.length], [2, 1]));
      // One that came again meanwhile has no board yet.
      catalogue.remove(pipeline.key);
      boards.forget(pipeline.key);
      catalogue.add(pipeline);
      await soon(() => assert.rejects(keda.metrics(refOf()), { code: status.UNAVAILABLE, details: /no plan/ }));
      await thread.close(1000);
      await soon(async () => assert.deepEqual([active.ended?.code, spec.ended?.code], [status.OK, status.OK]));
    } finally {
      keda.raw.close();
      await thread.close(0);
    }
  });

  it("tells what is known before it says that it serves", async () => {
    const script = `
      const kinds = [];
      parentPort.on("message", ({ kind }) => {
        kinds.push(kind);
        if (kind === "close") process.exit();
        if (kind === "serving") parentPort.postMessage({ kind: "log", level: "warn", fields: { kinds }, message: "got" });
      });`;
    const thread = await start({ workerUrl: threadOf(script) });
    catalogue.add(testPipeline({ name: "scans" }));
    thread.setServing(true);
    await soon(async () => assert.deepEqual(logged, ['got {"kinds":["known","serving"]}']));
    await thread.close(0);
  });

  it("knows for how long nothing was heard of it, and ends it where it does not end by itself", async () => {
    const thread = await start({ workerUrl: threadOf("for (;;);") });
    await new Promise(resolve => setTimeout(resolve, 60));
    assert.ok(thread.silentMs >= 50, String(thread.silentMs));
    await thread.close(0);
    assert.match(logged.join(), /^the thread that answers KEDA does not end by itself /);
  });

  it("is closed by an error of the thread, too", async () => {
    const script = 'parentPort.on("message", () => { throw new Error("out of order"); });';
    const thread = await start({ workerUrl: threadOf(script) });
    await thread.close(1000);
    assert.match(logged.join(), /^the thread that answers KEDA failed while it ended /);
  });
});

describe("a scaler with a thread that answers KEDA", () => {
  let running: RunningScaler;
  const start = async (options: Partial<ScalerOptions> = {}) => {
    running = await RunningScaler.start({ kedaThread: true, ...options }, new ManualClock(Date.now() - 60_000));
  };
  /** The thread has the wall clock. */
  const planUntilNow = async (rateRps: number) => {
    await running.planFor(rateRps);
    await running.clock.advance(Date.now() - running.clock.nowMs());
  };
  afterEach(() => running.close());

  const metric = async (line: RegExp) => {
    await soon(async () => assert.match(await (await fetch(running.url("/metrics"))).text(), line));
  };

  it("answers all of KEDA's calls as the scaler's own thread does", async () => {
    await start();
    const { metricSpecs } = await running.keda.spec(refOf());
    assert.deepEqual(metricSpecs, [{ metricName: "variscale-cards-detect", targetSize: 1, targetSizeFloat: 1 }]);
    await assert.rejects(running.keda.metrics(refOf()), {
      code: status.UNAVAILABLE,
      details: /no plan for shop\/cards\/detect yet: .* source `gateway`/,
    });
    await planUntilNow(100);
    for (const stage of running.board?.stages ?? [])
      await soon(async () => assert.equal(await running.keda.replicas(refOf(stage.stage)), stage.replicasNow));
    assert.equal(running.board?.stages.length, 2);
    assert.equal((await running.keda.isActive(refOf())).result, true);
  });

  it("finds a pipeline that comes, with its plan, and fails the streams of a stage that goes", async () => {
    await start();
    const scans = refOf("detect", { scalerMetadata: { pipeline: "scans", stage: "detect" } });
    const stream = new Received(running.keda.raw.StreamIsActive(refOf("read")));
    await soon(async () => assert.equal(stream.messages.length, 1));
    await assert.rejects(running.keda.spec(scans), { code: status.INVALID_ARGUMENT, details: /there is: cards/ });
    await running.scaler.pipelines.put(testPipeline({ name: "scans" }));
    await soon(async () => assert.equal((await running.keda.isActive(scans)).result, true));
    await planUntilNow(20);
    await soon(async () => assert.ok(((await running.keda.replicas(scans)) ?? 0) > 0));
    await running.scaler.pipelines.put(testPipeline({ stages: ["detect"] }));
    await soon(async () => assert.equal(stream.ended?.code, status.INVALID_ARGUMENT));
    assert.match(stream.ended?.details ?? "", /no stage `read`; it has: detect/);
    await running.scaler.pipelines.remove(testPipeline({ name: "scans" }).key);
    await soon(() => assert.rejects(running.keda.metrics(scans), { code: status.INVALID_ARGUMENT }));
    await running.scaler.pipelines.put(testPipeline({ name: "scans" }));
    await soon(() => assert.rejects(running.keda.metrics(scans), { code: status.UNAVAILABLE, details: /no plan/ }));
  });

  it("counts calls, and tells of refused ScaledObjects", async () => {
    const told: [ScaledObjectName, Refusal][] = [];
    const onRefused = (...one: [ScaledObjectName, Refusal]) => {
      told.push(one);
      throw new Error("no API server");
    };
    await start({ onRefused });
    for (let i = 0; i < 3; i++) await running.keda.spec(refOf());
    await assert.rejects(running.keda.spec(refOf("crop")), { code: status.INVALID_ARGUMENT });
    await metric(/^variscale_rpc_total\{method="GetMetricSpec",code="OK"\} 3$/m);
    await metric(/^variscale_rpc_total\{method="GetMetricSpec",code="INVALID_ARGUMENT"\} 1$/m);
    assert.match(
      await (await fetch(running.url("/metrics"))).text(),
      /variscale_rpc_seconds_count\{method="GetMetricSpec"\} 4/,
    );
    assert.deepEqual(
      told.map(([{ name }, { reason }]) => [name, reason]),
      [["cards-crop", "UnknownStage"]],
    );
  });

  it("answers while the scaler's own thread does not, until the board is stale", async () => {
    await start({ staleAfterMs: 3000 });
    await planUntilNow(100);
    const asking = spawn(process.execPath, ["--input-type=module", "-e", ASKING, String(running.scaler.ports.keda)]);
    let said = "";
    asking.stdout.on("data", piece => {
      said += piece;
    });
    let [fromMs, toMs] = [0, 0];
    try {
      await once(asking.stdout, "data");
      await running.clock.advance(Date.now() - running.clock.nowMs());
      await soon(async () => assert.ok(await running.keda.replicas(refOf())));
      fromMs = Date.now();
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3500);
      toMs = Date.now();
      asking.stdin.write("stop");
      await once(asking, "close");
    } finally {
      asking.kill();
    }
    const answers = JSON.parse(said.replace("asking", "")) as { code: number; atMs: number }[];
    const codes = answers.filter(({ atMs }) => atMs > fromMs && atMs < toMs).map(({ code }) => code);
    const firstStale = codes.indexOf(status.UNAVAILABLE);
    assert.ok(firstStale > 5, `answered ${codes.join(" ")}`);
    assert.deepEqual(new Set(codes.slice(0, firstStale)), new Set([status.OK]));
    assert.deepEqual(new Set(codes.slice(firstStale)), new Set([status.UNAVAILABLE]));
    assert.equal((await fetch(running.url("/healthz"))).status, 200);
  });

  it("is not ready once nothing is heard of the thread for 5 s, and not healthy once boards would be stale", async () => {
    // Long enough after the 5 s that a machine that stands still meanwhile shows both.
    await start({ kedaThread: { workerUrl: threadOf("for (;;);") }, staleAfterMs: 9000 });
    const statuses = () =>
      Promise.all(["/readyz", "/healthz"].map(async path => (await fetch(running.url(path))).status));
    const seen = new Set<string>();
    for (let now = await statuses(); !seen.has("503,503"); now = await statuses()) {
      seen.add(now.join());
      await new Promise(resolve => setTimeout(resolve, 50));
    }
    assert.deepEqual([...seen], ["200,200", "503,200", "503,503"]);
  });

  it("says which port is taken", async () => {
    await start();
    const ports = { keda: running.scaler.ports.keda, switchers: 0, http: 0 };
    await assert.rejects(RunningScaler.start({ kedaThread: true, ports }), {
      code: "failed_precondition",
      message: new RegExp(`cannot listen on 127\\.0\\.0\\.1:${ports.keda}`),
    });
  });
});

describe("a thread that answers KEDA with mutual TLS", () => {
  const authority = new TestAuthority("authority");
  const credentialsOf = (files: TlsFiles, ca: string) =>
    credentials.createFromSecureContext(createSecureContext({ cert: files["tls.crt"], key: files["tls.key"], ca }));

  it("knows who may ask, also after the authority was changed", async () => {
    const next = new TestAuthority("next");
    const scaler = authority.issue("scaler");
    const secret = new SecretFolder(scaler);
    const logger = createLogger("test", "silent");
    const tls = await TlsFolder.open({ folder: secret.path, logger, checkEveryMs: 2 });
    const running = await RunningScaler.start({ kedaThread: true, tls });
    const askAs = async (files: TlsFiles) => {
      const client = new KedaClient(running.scaler.ports.keda, credentialsOf(files, authority.certificate));
      try {
        return (await client.spec(refOf())).metricSpecs.length;
      } finally {
        client.raw.close();
      }
    };
    try {
      const [known, newcomer] = [authority.issue("keda"), next.issue("keda")];
      assert.equal(await askAs(known), 1);
      await assert.rejects(askAs(newcomer), { code: status.UNAVAILABLE });
      await assert.rejects(running.keda.spec(refOf()), { code: status.UNAVAILABLE });
      // The certificate stays, and so does its fingerprint.
      secret.swap({ ...scaler, "ca.crt": `${authority.certificate}\n${next.certificate}` });
      while ((await askAs(newcomer).catch(() => 0)) === 0) await new Promise(resolve => setTimeout(resolve, 5));
      assert.equal(await askAs(known), 1);
    } finally {
      await running.close();
      tls.close();
      secret.remove();
    }
  });
});

describe("the end of the thread that answers KEDA", () => {
  /** Of a program with this thread. */
  const endOf = (script: string) => {
    const program = `
      const { KedaThread } = await import(${JSON.stringify(KEDA_THREAD)});
      const nothing = () => undefined;
      await KedaThread.start({
        catalogue: { all: () => [], find: nothing, watch: nothing },
        boards: { latest: () => null, all: () => [], subscribe: () => nothing },
        observe: nothing, onRefused: nothing, logger: console, staleAfterMs: 1, host: "", port: 0, tls: null,
        workerUrl: new URL(${JSON.stringify(threadOf(script).href)}),
      });
      console.log("started");
      setTimeout(nothing, 20_000);`;
    const args = ["--input-type=module", "-e", program];
    const { status: code, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 15_000 });
    return { code, stdout, stderr };
  };

  it("is the end of the scaler: by an error, or without one", () => {
    for (const [thread, reason] of [
      ['setTimeout(() => { throw new Error("out of order"); }, 50);', /is lost: the scaler ends.*out of order/s],
      ["setTimeout(() => process.exit(3), 50);", /the thread that answers KEDA has ended, with code 3/],
    ] as const) {
      const { code, stdout, stderr } = endOf(thread);
      assert.equal(stdout, "started\n");
      assert.equal(code, 1);
      assert.match(stderr, reason);
    }
  });
});
