import assert from "node:assert/strict";
import type FileSystem from "node:fs";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, it } from "mocha";
import { packageFolder } from "../../runtime/version.ts";
import { Container, inspectImage, type RunOptions, runToEnd, type Target } from "./container.ts";
import { SWITCHER, writeSwitcherFolder } from "./switcher-folder.ts";

const TARGETS: readonly Target[] = ["all", "scaler", "variant-switcher", "gateway", "demo"];
const ID_CARD = "/app/pipelines/id-card";
const manifest = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8")) as {
  readonly dependencies: Readonly<Record<string, string>>;
};
const MIB = 1024 * 1024;
/** Unpacked: Debian and Node are 200 of it, onnxruntime is 50. */
const MOST_MIB = 420;
/** What a process has no use for. */
const LEFT_OUT: Readonly<Partial<Record<Target, readonly string[]>>> = {
  scaler: ["onnxruntime-node", "onnxruntime-common", "sharp", "@img", "@gutenye"],
  "variant-switcher": ["sharp", "@img", "@gutenye", "@tensorflow", "uplot"],
  gateway: ["onnxruntime-node", "onnxruntime-common", "@gutenye", "@tensorflow", "uplot"],
};

/** What an expression of JavaScript is inside an image. */
function evaluate<T>(target: Target, expression: string): T {
  const { status, stdout, stderr } = runToEnd(["-p", `JSON.stringify(${expression})`], {
    target,
    engine: ["--entrypoint=node"],
  });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as T;
}

/** Runs inside an image: `name@version` of the packages that the list names, and of those that are there. */
function packagesOf(list: string, fs: typeof FileSystem): { listed: string[]; installed: string[] } {
  const installed = new Set<string>();
  const visit = (folder: string): void => {
    for (const name of fs.existsSync(folder) ? fs.readdirSync(folder) : []) {
      const path = `${folder}/${name}`;
      if (name.startsWith("@")) visit(path);
      else if (fs.existsSync(`${path}/package.json`)) {
        const { name: its, version } = JSON.parse(fs.readFileSync(`${path}/package.json`, "utf8"));
        installed.add(`${its}@${version}`);
        visit(`${path}/node_modules`);
      }
    }
  };
  visit("/app/node_modules");
  const { components } = JSON.parse(fs.readFileSync(list, "utf8"));
  return { listed: components.map((one: { "bom-ref": string }) => one["bom-ref"]), installed: [...installed] };
}

describe("the targets of the Dockerfile", () => {
  let container: Container | null = null;
  const start = (command: readonly string[], options: RunOptions): Container => {
    container = new Container(command, options);
    return container;
  };

  afterEach(() => {
    container?.remove();
    container = null;
  });

  for (const target of TARGETS) {
    it(`${target}: not larger than ${MOST_MIB} MiB, for a user by number who is not root`, () => {
      const sizeMiB = Number(inspectImage("{{.Size}}", target)) / MIB;
      process.stdout.write(`      ${sizeMiB.toFixed(0)} MiB\n`);
      assert.ok(sizeMiB > 100 && sizeMiB < MOST_MIB, `${sizeMiB.toFixed(0)} MiB`);
      assert.match(inspectImage("{{.Config.User}}", target), /^[1-9]\d*:[1-9]\d*$/);
    });

    it(`${target}: has the dependencies that its list names, and no others`, () => {
      const label = inspectImage('{{index .Config.Labels "dev.variscale.sbom"}}', target);
      const { listed, installed } = evaluate<{ listed: string[]; installed: string[] }>(
        target,
        `(${packagesOf.toString()})("${label}", require("node:fs"))`,
      );
      assert.deepEqual(listed.sort(), installed.sort());
      const names = listed.map(ref => ref.slice(0, ref.lastIndexOf("@")));
      const leftOut = LEFT_OUT[target] ?? [];
      const isLeftOut = (name: string) => leftOut.some(one => name === one || name.startsWith(`${one}/`));
      assert.deepEqual(names.filter(isLeftOut), []);
      const missing = Object.keys(manifest.dependencies).filter(name => !names.includes(name));
      assert.deepEqual(missing, Object.keys(manifest.dependencies).filter(isLeftOut));
    });
  }

  it("have files of one time, so that the same build gives the same layers", () => {
    const { stdout } = runToEnd(["/app", "/usr/local/bin/variscale", "-type", "f", "-newermt", "1985-10-27"], {
      engine: ["--entrypoint=find"],
    });
    assert.equal(stdout.split("\n").slice(0, 5).join("\n"), "");
  });

  it("scaler: runs, and its HEALTHCHECK says that it does", async () => {
    const ports = ["--host=127.0.0.1", "--keda-port=0", "--switcher-port=0", "--http-port=0"];
    const scaler = start(["scaler", ID_CARD, ...ports], {
      target: "scaler",
      engine: ["--tmpfs=/var/lib/variscale:mode=0777"],
    });
    const { http = 0 } = await scaler.ports("scaler started");
    const url = `http://127.0.0.1:${http}/readyz`;
    await scaler.waitFor(url);
    const healthy = scaler.checkHealth(url);
    assert.equal(healthy.status, 0, healthy.stdout);
    assert.match(healthy.stdout, /: 200 \{"ready":true\}/);
    const ill = scaler.checkHealth(`http://127.0.0.1:${http}/nothing`);
    assert.equal(ill.status, 1);
    assert.match(ill.stdout, /\/nothing: 404 /);
    assert.equal(scaler.stop(), 0, scaler.logs());
  });

  it("variant-switcher: runs, and its HEALTHCHECK says that it serves", async () => {
    const folder = mkdtempSync(join(tmpdir(), "variscale-image-"));
    try {
      writeSwitcherFolder(folder);
      const switcher = start(SWITCHER, { target: "variant-switcher", engine: [`--volume=${folder}:/models:ro`] });
      const { http = 0 } = await switcher.ports("listening");
      const url = `http://127.0.0.1:${http}/v2/health/ready`;
      await switcher.waitFor(url);
      const healthy = switcher.checkHealth(url);
      assert.equal(healthy.status, 0, healthy.stdout);
      assert.equal(switcher.stop(), 0, switcher.logs());
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("gateway: runs, and its HEALTHCHECK says that its stages have replicas to call", async () => {
    const endpoints = ["--endpoint=detection=127.0.0.1:1", "--endpoint=recognition=127.0.0.1:1"];
    const gateway = start(["gateway", ID_CARD, "--host=127.0.0.1", "--port=0", ...endpoints], { target: "gateway" });
    const { http = 0 } = await gateway.ports("listening");
    const url = `http://127.0.0.1:${http}/readyz`;
    await gateway.waitFor(url);
    const healthy = gateway.checkHealth(url);
    assert.equal(healthy.status, 0, healthy.stdout);
    assert.match(healthy.stdout, /"endpoints":\{"detection":1,"recognition":1\}/);
    assert.equal(gateway.stop(), 0, gateway.logs());
  });

  it("demo: does everything from start to end where nothing is said, and its exit code is the container's", () => {
    const { 0: name, 1: whole, ...page } = JSON.parse(inspectImage("{{json .Config.Cmd}}", "demo")) as string[];
    assert.deepEqual([name, whole], ["demo", "--start-to-end"]);
    assert.deepEqual(Object.values(page), ["--http-host", "0.0.0.0", "--http-port", "8080"]);
    const unknown = runToEnd(["demo", "--pipeline=no-such"], { target: "demo", asIs: true });
    assert.equal(unknown.status, 1, unknown.stdout);
    const command = ["demo", "--start-to-end", "--short"];
    const { status, stdout, stderr } = runToEnd(command, { target: "demo", asIs: true });
    assert.equal(status, 0, `${stdout}\n${stderr}`);
    assert.match(stdout, /^ok +nothing lost/m);
    assert.equal(stdout.match(/^ok .*\(\d+ s\)$/gm)?.length, 6, stdout);
    assert.doesNotMatch(stdout, /^FAILED/m);
    assert.match(stdout, /^written: \/var\/lib\/variscale\/demo\/report\.html$/m);
    assert.match(stderr, /^written: \/var\/lib\/variscale\/demo\/index\.html$/m);
  }).timeout(420_000);
});
