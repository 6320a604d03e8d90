import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { packageFolder } from "../../runtime/version.ts";
import { RunningScaler, refOf } from "../scaler/support/running-scaler.ts";
import { ID_CARD, type KubernetesObject, render } from "./helm.ts";

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Runs it to its end, which SIGTERM brings about once it has said `until`. */
function run(args: readonly string[], until: string | null, env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const read = (chunk: Buffer): void => {
    output += chunk.toString();
    if (until !== null && output.includes(until)) child.kill("SIGTERM");
  };
  child.stdout.on("data", read);
  child.stderr.on("data", read);
  return new Promise(resolve => child.once("close", code => resolve({ code, output })));
}

/** Said by the scaler a second after its start: the gateway of the chart is not there. */
const LOAD_IS_MISSING = "LoadSourceAnswering";

describe("what the chart starts", () => {
  const objects = render(...ID_CARD, "--set=scaler.replicas=1,switcher.identity=none");
  const command = join(packageFolder, "dist/cli/main.js");
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "variscale-chart-"));
    mkdirSync(join(folder, "pipeline"));
    const { data } = objects.find(
      ({ kind, metadata }) => kind === "ConfigMap" && metadata.name === "variscale-id-card",
    );
    for (const [name, text] of Object.entries<string>(data)) writeFileSync(join(folder, "pipeline", name), text);
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  const argsOf = (deployment: string): string[] => {
    const found = objects.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === deployment);
    return found.spec.template.spec.containers.flatMap(({ args }: KubernetesObject) =>
      args.map((arg: string) =>
        arg
          .replace("/app/mounted/id-card", join(folder, "pipeline"))
          .replace("/var/lib/variscale", join(folder, "state")),
      ),
    );
  };

  it("is a scaler that takes its arguments and its pipeline", async () => {
    const ports = ["--host=127.0.0.1", "--keda-port=0", "--switcher-port=0", "--http-port=0"];
    const { code, output } = await run([command, ...argsOf("variscale-scaler"), ...ports], LOAD_IS_MISSING);
    assert.equal(code, 0, output);
    assert.match(output, /"pipelines":\["shop\/id-card"\]/);
  });

  it("is a gateway that takes its arguments, its pipeline and the pipeline's code", async () => {
    const ports = ["--host=127.0.0.1", "--port=0"];
    const { code, output } = await run([command, ...argsOf("variscale-id-card-gateway"), ...ports], '"listening"');
    assert.equal(code, 0, output);
  });

  it("is a test that passes where a scaler answers for the stage, and fails where it does not", async () => {
    const running = await RunningScaler.start();
    const script = join(packageFolder, "charts/variscale/files/round-trip.mjs");
    const { namespace, scalerMetadata } = refOf();
    const ask = (stage: string) =>
      run(
        [script, `127.0.0.1:${running.scaler.ports.keda}`, namespace, `${scalerMetadata["pipeline"]}/${stage}`],
        null,
        {
          VARISCALE_PROTO: join(packageFolder, "proto/externalscaler.proto"),
        },
      );
    try {
      const passed = await ask("detect");
      assert.equal(passed.code, 0, passed.output);
      assert.match(passed.output, /^cards\/detect: variscale-/);
      const failed = await ask("other");
      assert.equal(failed.code, 1);
      assert.match(failed.output, /INVALID_ARGUMENT/);
    } finally {
      await running.close();
    }
  });
});
