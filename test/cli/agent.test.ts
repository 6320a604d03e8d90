import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { ScriptedEndpoint } from "../agent/scripted-endpoint.ts";
import { runVariscale } from "./support/run-variscale.ts";

const KEY = "key-of-the-endpoint";
const LOAD = ["--generate", "1", "--days", "0.05", "--length", "120s"];

describe("variscale agent", function () {
  this.timeout(300_000);
  let folder: string;
  let endpoint: ScriptedEndpoint;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "variscale-"));
    endpoint = await ScriptedEndpoint.start();
  });
  after(async () => {
    await endpoint.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const model = (): readonly string[] => ["--endpoint", endpoint.url, "--model", "scripted"];

  it("advises on a pipeline in the simulator, and replays to the same verdicts", async () => {
    endpoint.follow(
      { calls: [["get_state", {}]] },
      {
        calls: [
          ["propose", { change: { kind: "weights", weights: { cost: 0.02 } }, why: "cores are dear" }],
          ["propose", { change: { kind: "forecastQuantile", quantile: 0.5 }, why: `cheaper, ${KEY}` }],
        ],
      },
      { text: `done, ${KEY}` },
    );
    const [transcript, keyFile] = [join(folder, "t.jsonl"), join(folder, "key")];
    writeFileSync(keyFile, `${KEY}\n`);
    const args = ["agent", "advise", "pipelines/id-card", ...LOAD, ...model()];
    const { status, stdout, stderr } = await runVariscale([...args, "--key-file", keyFile, "--transcript", transcript]);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /round 1: the model was done/);
    assert.match(stdout, /accepted: \{"kind":"weights"/);
    assert.match(stdout, /distance from the optimum by the user's objective: /);
    assert.match(stdout, /refused: \{"kind":"forecastQuantile"/);
    assert.equal(endpoint.asked[0]?.authorization, `Bearer ${KEY}`);
    assert.match(stdout, /because: cheaper, \*\*\*/);
    assert.ok(!stdout.includes(KEY));
    assert.ok(!readFileSync(transcript, "utf8").includes(KEY));
    assert.equal(statSync(transcript).mode & 0o077, 0);
    const replayed = await runVariscale(["agent", "replay", transcript]);
    assert.equal(replayed.status, 0, replayed.stderr);
    assert.equal(replayed.stdout.match(/as it was recorded/g)?.length, 2);
    const forged = join(folder, "forged.jsonl");
    writeFileSync(forged, readFileSync(transcript, "utf8").replace('"cost":0.02', '"cost":0.03'));
    assert.equal((await runVariscale(["agent", "replay", forged])).status, 1);
  });

  it("says what is wrong and how to mend it", async () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [
        ["advise", "pipelines/id-card", ...LOAD, "--endpoint", "ftp://x", "--model", "m"],
        /--endpoint `ftp:\/\/x` is no address/,
      ],
      [["advise", "pipelines/id-card", ...model()], /give the load by one of/],
      [
        ["advise", "pipelines/id-card", ...LOAD, "--url", "http://127.0.0.1:1", ...model()],
        /leave out the load, or --url/,
      ],
      [["act", "pipelines/id-card", "--url", "http://127.0.0.1:1", ...model()], /does not answer.*--url/],
      [
        ["advise", "pipelines/id-card", ...LOAD, ...model(), "--transcript", "/dev/full"],
        /^variscale: --transcript \/dev\/full can't be written: ENOSPC/m,
      ],
      [["replay", "nowhere.jsonl"], /nowhere\.jsonl can't be read/],
      [["replay", "package.json"], /package\.json, line 1: is no line of a transcript/],
    ];
    for (const [args, expected] of cases) {
      const { status, stderr } = await runVariscale(["agent", ...args]);
      assert.notEqual(status, 0, args.join(" "));
      assert.match(stderr, expected);
    }
    const open = ["advise", "pipelines/id-card", ...LOAD, "--endpoint", "http://example.com/v1", "--model", "m"];
    const { stderr } = await runVariscale(["agent", ...open], { env: { VARISCALE_AGENT_KEY: KEY } });
    assert.match(stderr, /a key goes over https only/);
    assert.ok(!stderr.includes(KEY));
  });
});
