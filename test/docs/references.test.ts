import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "mocha";
import { pipelineRoutes } from "../../gateway/gateway.ts";
import type { PipelineServer } from "../../gateway/pipeline-server.ts";
import type { Route } from "../../runtime/http-server.ts";
import { packageFolder } from "../../runtime/version.ts";
import { boardFamilies } from "../../scaler/board-metrics.ts";
import { type HttpApiOptions, httpApiRoutes } from "../../scaler/http-api.ts";
import { pageFileRoutes } from "../../scaler/page-files.ts";
import { RunningScaler } from "../scaler/support/running-scaler.ts";
import { testPipeline } from "../scaler/support/test-pipeline.ts";

const reference = (name: string) => readFileSync(join(packageFolder, "docs/reference", name), "utf8");
const known = JSON.parse(readFileSync(join(packageFolder, "scripts/references/http-routes.json"), "utf8")) as Record<
  string,
  Record<string, string>
>;
const namesOf = (routes: readonly Route[]) => routes.map(({ method, path }) => `${method} ${path}`).toSorted();

/** Files that make metrics; scripts/references/metrics.mjs asks each of them. */
const METRIC_FILES = [
  "gateway/metrics.ts",
  "runtime/process-metrics.ts",
  "runtime/tls-metrics.ts",
  "scaler/ha-metrics.ts",
  "scaler/metrics.ts",
  "variant-switcher/switcher-metrics.ts",
];

describe("docs/reference", function () {
  this.timeout(60_000);

  it("is what the code gives", () => {
    const script = join(packageFolder, "scripts/write-references.mjs");
    const { status, stderr } = spawnSync(process.execPath, [script, "--check"], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
  });

  it("has every route of the scaler and no other", () => {
    // Nothing is asked of them: only what they are at.
    const routes = [...httpApiRoutes({} as HttpApiOptions), ...pageFileRoutes()];
    assert.deepEqual(Object.keys(known["scaler"]!).toSorted(), namesOf(routes));
  });

  it("has every route of a gateway and no other", () => {
    const routes = pipelineRoutes(testPipeline(), {} as PipelineServer);
    assert.deepEqual(Object.keys(known["gateway"]!).toSorted(), namesOf(routes));
  });

  it("has the metrics of every file that makes some", () => {
    const files = ["gateway", "runtime", "scaler", "variant-switcher"].flatMap(folder =>
      readdirSync(join(packageFolder, folder), { recursive: true, encoding: "utf8" })
        .filter(name => name.endsWith(".ts"))
        .map(name => `${folder}/${name}`),
    );
    const makers = files.filter(file =>
      /import \{[^}]*\b(Counter|Gauge|Histogram|Summary)\b[^}]*\} from "prom-client"/.test(
        readFileSync(join(packageFolder, file), "utf8"),
      ),
    );
    assert.deepEqual(makers.toSorted(), METRIC_FILES);
    const names: string[] = [];
    boardFamilies({
      family: (_type, name) => {
        names.push(name);
        return () => {};
      },
    });
    for (const name of names) assert.ok(reference("metrics.md").includes(`| \`${name}\` `), name);
  });

  it("has every metric that a scaler at work shows", async () => {
    const running = await RunningScaler.start();
    try {
      await running.planFor(50);
      const text = await (await fetch(running.url("/metrics"))).text();
      const shown = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = ""]) => name);
      assert.ok(shown.length > 50);
      for (const name of shown) assert.match(reference("metrics.md"), new RegExp(`\`${name}\``), name);
    } finally {
      await running.close();
    }
  });
});
