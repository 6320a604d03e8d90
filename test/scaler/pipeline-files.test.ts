import assert from "node:assert/strict";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { stringify } from "yaml";
import { PipelineFile } from "../../scaler/pipeline-files.ts";
import { turns } from "./support/manual-clock.ts";
import { RunningScaler } from "./support/running-scaler.ts";

const CARDS = { namespace: "shop", name: "cards" };
const CONTRACT = {
  inputs: [{ name: "x", datatype: "FP32", shape: [-1, 4] }],
  outputs: [{ name: "y", datatype: "FP32", shape: [-1] }],
};

function pipelineText(latencyMs: number, name = "cards"): string {
  const stage = {
    name: "detect",
    defaultVariant: "only",
    contract: CONTRACT,
    variants: [{ name: "only", model: "only.onnx", sha256: "a".repeat(64) }],
  };
  return stringify({
    apiVersion: "variscale.dev/v1alpha1",
    kind: "InferencePipeline",
    metadata: { name, namespace: "shop" },
    spec: { mode: "active", slo: { latencyMs }, measurements: "measurements.json", stages: [stage] },
  });
}

function measurementsText(latencyMs: number): string {
  return JSON.stringify({
    apiVersion: "variscale.dev/v1alpha1",
    kind: "PipelineMeasurements",
    machine: { cpu: "one" },
    date: "2026-01-01T00:00:00Z",
    stages: { detect: { only: { cores: 1, points: [{ batch: 1, latencyMs }] } } },
  });
}

describe("pipeline files that change while the scaler runs", () => {
  let folder: string;
  let running: RunningScaler;

  const file = (name: string) => join(folder, name);
  const start = async (path: string) => {
    running = await RunningScaler.start({ pipelines: [], pipelineFiles: [{ path }] });
  };
  const look = async (times = 3) => {
    for (let i = 0; i < times; i++) await running.clock.advance(2000);
    await turns();
  };
  // biome-ignore lint/suspicious/noExplicitAny: JSON of the API
  const page = async (name = "cards"): Promise<any> => {
    const response = await fetch(running.url(`/api/v1/pipelines/shop/${name}`));
    return response.status === 200 ? response.json() : null;
  };
  const latencyMs = async (name = "cards"): Promise<number | undefined> => {
    const response = await fetch(running.url(`/api/v1/pipelines/shop/${name}/live?after=0`));
    // biome-ignore lint/suspicious/noExplicitAny: JSON of the API
    return ((await response.json()) as any).slo?.latencyMs;
  };
  const accepted = async () =>
    (await page()).processConditions.find((one: { type: string }) => one.type === "Accepted");
  const metric = async (line: string) =>
    (await (await fetch(running.url("/metrics"))).text()).split("\n").includes(line);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "variscale-files-"));
    writeFileSync(file("pipeline.yaml"), pipelineText(500));
    writeFileSync(file("measurements.json"), measurementsText(10));
  });

  afterEach(async () => {
    await running.close();
    rmSync(folder, { recursive: true });
  });

  it("are taken from their next tick on", async () => {
    await start(folder);
    assert.equal(await latencyMs(), 500);
    assert.equal((await accepted()).status, true);
    writeFileSync(file("pipeline.yaml"), pipelineText(700));
    await look();
    assert.equal(await latencyMs(), 700);
    assert.ok(await metric('variscale_pipeline_changes_total{from="file",outcome="replaced"} 1'));
  });

  it("are taken when what they name changes, or comes later", async () => {
    rmSync(file("measurements.json"));
    await start(file("pipeline.yaml"));
    running.gateway.rateRps = 10;
    await look();
    const planOf = () => running.scaler.boards.latest(CARDS)?.plan?.stages[0]?.latencyMs ?? 0;
    assert.ok(planOf() < 1, "nothing was measured");
    writeFileSync(file("measurements.json"), measurementsText(10));
    await look(8);
    const beforeMs = planOf();
    assert.ok(beforeMs >= 10);
    writeFileSync(file("measurements.json"), measurementsText(40));
    await look(8);
    assert.ok(planOf() >= beforeMs + 30, String(planOf()));
  });

  it("stay as they were, and the scaler runs on, where one can't even be looked at", async () => {
    await start(folder);
    rmSync(file("measurements.json"));
    symlinkSync("measurements.json", file("measurements.json"));
    await look();
    assert.equal(await latencyMs(), 500);
    const { status, message } = await accepted();
    assert.equal(status, false);
    assert.match(message, /measurements\.json/);
    rmSync(file("measurements.json"));
    writeFileSync(file("measurements.json"), measurementsText(10));
    await look();
    assert.equal((await accepted()).status, true);
  });

  it("are read again when Kubernetes swaps the folder that their links go through", async () => {
    const mounted = file("mounted");
    const write = (version: string, text: string, measured: string) => {
      mkdirSync(join(mounted, version), { recursive: true });
      writeFileSync(join(mounted, version, "pipeline.yaml"), text);
      writeFileSync(join(mounted, version, "measurements.json"), measured);
    };
    write("..2026_01", pipelineText(500), measurementsText(10));
    symlinkSync("..2026_01", join(mounted, "..data"));
    for (const name of ["pipeline.yaml", "measurements.json"]) symlinkSync(`..data/${name}`, join(mounted, name));
    await start(mounted);
    for (const [version, wantedMs] of [
      ["..2026_02", 600],
      ["..2026_03", 700],
    ] as const) {
      write(version, pipelineText(wantedMs), measurementsText(10));
      symlinkSync(version, join(mounted, "..data_tmp"));
      renameSync(join(mounted, "..data_tmp"), join(mounted, "..data"));
      await look();
      assert.equal(await latencyMs(), wantedMs, version);
    }
    rmSync(mounted, { recursive: true });
  });

  it("are not read while they are being written", async () => {
    await start(folder);
    const text = pipelineText(900);
    for (let end = 10; end < text.length; end += Math.ceil(text.length / 7)) {
      writeFileSync(file("pipeline.yaml"), text.slice(0, end));
      await look(1);
    }
    assert.equal((await accepted()).status, true);
    assert.equal(await latencyMs(), 500);
    writeFileSync(file("pipeline.yaml"), text);
    await look();
    assert.equal(await latencyMs(), 900);
    assert.ok(await metric('variscale_pipelines_refused{from="file"} 0'));
  });

  it("keep the last good one where an edit is wrong, say why, and go on with the next good one", async () => {
    await start(folder);
    for (const [text, message] of [
      [pipelineText(500).replace("latencyMs: 500", "latencyMs: fast"), /spec\.slo\.latencyMs: .*\(is: "fast"\)/],
      ["{", /not YAML/],
      [null, /can't be read/],
    ] as const) {
      if (text === null) rmSync(file("pipeline.yaml"));
      else writeFileSync(file("pipeline.yaml"), text);
      await look();
      const { status, message: said } = await accepted();
      assert.equal(status, false);
      assert.match(said, message);
      assert.match(said, /file .*pipeline\.yaml is refused and the last good one stays/);
      assert.equal(await latencyMs(), 500);
      assert.ok(await metric('variscale_pipelines_refused{from="file"} 1'));
      assert.ok(await metric('variscale_condition{namespace="shop",pipeline="cards",type="Accepted"} 0'));
    }
    writeFileSync(file("pipeline.yaml"), pipelineText(800));
    await look();
    assert.equal((await accepted()).status, true);
    assert.equal(await latencyMs(), 800);
    assert.ok(await metric('variscale_pipelines_refused{from="file"} 0'));
  });

  it("are nothing new where they were only touched", async () => {
    await start(folder);
    utimesSync(file("pipeline.yaml"), new Date(0), new Date(0));
    writeFileSync(file("measurements.json"), readFileSync(file("measurements.json")));
    await look();
    assert.ok(await metric('variscale_pipeline_changes_total{from="file",outcome="unchanged"} 1'));
    assert.ok(!(await metric('variscale_pipeline_changes_total{from="file",outcome="replaced"} 1')));
  });

  it("are another pipeline where the name changes", async () => {
    await start(folder);
    writeFileSync(file("pipeline.yaml"), pipelineText(500, "scans"));
    await look();
    assert.equal(await page(), null);
    assert.equal(await latencyMs("scans"), 500);
  });
});

describe("a pipeline file that is looked at", () => {
  it("says which of the files changed that it was read from", () => {
    const folder = mkdtempSync(join(tmpdir(), "variscale-files-"));
    try {
      const [pipeline, measurements] = [join(folder, "pipeline.yaml"), join(folder, "measurements.json")];
      writeFileSync(pipeline, pipelineText(500));
      const file = new PipelineFile({ path: folder });
      const lookTwice = () => [file.look(), file.look()].map(description => description !== null);
      for (const [changed, text] of [
        [measurements, measurementsText(10)],
        [pipeline, pipelineText(700)],
        [measurements, measurementsText(100)],
      ] as const) {
        writeFileSync(changed, text);
        assert.deepEqual(lookTwice(), [false, true]);
        assert.deepEqual(file.changedFiles, [changed]);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("two files that describe one pipeline", () => {
  it("leave it to the first, until that one names it no more", async () => {
    const folder = mkdtempSync(join(tmpdir(), "variscale-files-"));
    const write = (name: string, text: string) => writeFileSync(join(folder, `${name}.yaml`), text);
    write("a", pipelineText(500));
    write("b", pipelineText(600, "scans"));
    const paths = ["a", "b"].map(name => ({ path: join(folder, `${name}.yaml`) }));
    const running = await RunningScaler.start({ pipelines: [], pipelineFiles: paths });
    const look = async () => {
      for (let i = 0; i < 4; i++) await running.clock.advance(2000);
      await turns();
    };
    // biome-ignore lint/suspicious/noExplicitAny: JSON of the API
    const live = async (name: string): Promise<any> =>
      (await fetch(running.url(`/api/v1/pipelines/shop/${name}/live?after=0`))).json();
    try {
      write("b", pipelineText(700));
      await look();
      assert.equal((await live("cards")).slo.latencyMs, 500);
      assert.equal((await live("scans")).slo.latencyMs, 600);
      assert.match((await live("scans")).problems.join(), /shop\/cards is described by file .*a\.yaml already/);
      write("a", pipelineText(800, "other"));
      await look();
      assert.equal((await live("cards")).slo.latencyMs, 700);
      assert.equal((await live("other")).slo.latencyMs, 800);
      assert.equal((await live("scans")).slo, undefined);
    } finally {
      await running.close();
      rmSync(folder, { recursive: true });
    }
  });
});
