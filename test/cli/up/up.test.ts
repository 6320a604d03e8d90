import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { TestFolder } from "../../support/switcher-harness.ts";
import { commandLine, isAlive } from "../support/processes.ts";
import { SteadyLoad, sendNumber } from "../support/requests.ts";
import { writeTinyPipeline } from "../support/tiny-pipeline.ts";
import { UpProcess } from "../support/up-process.ts";

/** One after the other on one run: each leaves it as it found it. */
describe("variscale up", function () {
  this.timeout(300_000);
  let folder: TestFolder;
  let up: UpProcess;

  before(async () => {
    folder = new TestFolder();
    writeTinyPipeline(folder.path);
    up = await UpProcess.startReady(folder.path);
  });
  after(() => {
    up?.killAll();
    folder.delete();
  });

  /** The process of one replica, or of the gateway. */
  const processOf = (name: string): number => {
    const found = up.children().find(pid => commandLine(pid).some(word => word === name || word.includes(`/${name}-`)));
    assert.ok(found, `no process of ${name}`);
    return found;
  };
  /** Sends a little more, and then none. */
  const allServed = async (load: SteadyLoad): Promise<void> => {
    const before = load.sent;
    await up.until(() => load.sent > before + 10, "sent");
    const counts = await load.stop();
    assert.deepEqual(counts, { 200: load.sent });
  };
  /** In the audit log of the runs that have ended. */
  const lastDecision = (): string | undefined =>
    readFileSync(join(folder.path, "state/decisions.jsonl"), "utf8")
      .split("\n")
      .flatMap(line => (line === "" ? [] : ((JSON.parse(line) as { decisionId?: string }).decisionId ?? [])))
      .at(-1);
  const untilServed = (variants: Readonly<Record<string, string>>): Promise<void> =>
    up.until(
      async () => {
        const answer = await sendNumber(up.url, 3);
        return Object.entries(variants).every(([stage, variant]) => answer.variants[stage] === variant);
      },
      `serving ${JSON.stringify(variants)}`,
    );

  it("answers requests through both stages", async () => {
    for (let n = 0; n < 20; n++) assert.equal((await sendNumber(up.url, n)).status, 200);
  });

  it("serves the variants that are pinned, and says so in its API", async () => {
    await up.pin({ stage: "first", variant: "light" });
    await up.pin({ stage: "second", variant: "heavy" });
    await untilServed({ first: "light", second: "heavy" });
    await up.pin({ stage: "first", variant: "heavy" });
    await untilServed({ first: "heavy", second: "heavy" });
    const page = await up.page();
    assert.deepEqual(
      page.switchers.map((one: { stage: string; variant: string }) => `${one.stage}=${one.variant}`).sort(),
      ["first=heavy", "second=heavy"],
    );
    await up.unpin();
  });

  it("follows pinned replicas from 1 to 3 without losing a request", async () => {
    const load = new SteadyLoad(up.url, 10);
    await up.pin({ stage: "second", replicas: 3 });
    await up.until(async () => (await up.endpoints("second")) === 3, "serving with 3 replicas");
    await allServed(load);
  });

  it("starts a replica that was killed again, while the requests that it had are sent to another", async () => {
    const load = new SteadyLoad(up.url, 10);
    await up.until(() => load.sent > 20, "sent");
    const victim = processOf("second");
    process.kill(victim, "SIGKILL");
    await up.until(async () => (await up.endpoints("second")) === 2, "without the replica");
    await up.until(async () => (await up.endpoints("second")) === 3, "serving with 3 replicas again");
    assert.ok(!isAlive(victim));
    await allServed(load);
  });

  it("follows pinned replicas from 3 to 1 without losing a request, and ends the processes of the others", async () => {
    const load = new SteadyLoad(up.url, 10);
    await up.pin({ stage: "second", replicas: 1 });
    await up.until(async () => (await up.endpoints("second")) === 1, "serving with 1 replica");
    await up.until(() => up.children().length === 3, "rid of the processes of two replicas");
    await allServed(load);
    await up.unpin();
  });

  it("starts a gateway that was killed again, at the same address, and tells it the endpoints", async () => {
    // Nothing that would change endpoints is under way.
    assert.equal(up.children().length, 3);
    process.kill(processOf("gateway"), "SIGKILL");
    const answer = () =>
      sendNumber(up.url, 1).then(
        ({ status }) => status,
        () => 0,
      );
    await up.until(async () => (await answer()) !== 200, "without a gateway");
    await up.until(async () => (await answer()) === 200, "serving again");
  });

  it("stays in mode shadow where policy and file let variants vote that the code has no `vote` for", async () => {
    const voting = new TestFolder();
    writeTinyPipeline(voting.path);
    const settings = ["mode=shadow", "objective.policy=cocktail", "stages[1].votes={ correlation: 0.1 }"];
    const other = await UpProcess.startReady(
      voting.path,
      settings.flatMap(pair => ["--set", `spec.${pair}`]),
    );
    try {
      const response = await fetch(`${other.api}/mode`, { method: "PUT", body: '{"mode":"active"}' });
      assert.equal(response.status, 412);
      assert.match(await response.text(), /variants of stage `second` vote, and the code of the stage has no `vote`/);
      assert.equal((await other.page()).board.mode, "shadow");
    } finally {
      other.killAll();
      voting.delete();
    }
  });

  it("survives the loss of its temporary files", async () => {
    const temporary = join(folder.path, "tmp");
    for (const name of readdirSync(temporary)) rmSync(join(temporary, name), { recursive: true });
    process.kill(processOf("second"), "SIGKILL");
    await up.until(async () => (await up.endpoints("second")) === 0, "without the replica");
    await up.until(async () => (await up.endpoints("second")) === 1, "serving again");
  });

  it("ends with 0 on SIGTERM and leaves neither a process nor a temporary file", async () => {
    await up.pin({ stage: "first", variant: "light" });
    assert.equal(await up.end("SIGTERM"), 0);
    assert.deepEqual(readdirSync(join(folder.path, "tmp")), []);
  });

  it("knows the pins and the plan when it is started again", async () => {
    // Not planned anew meanwhile, so that what is there is what was kept.
    up = await UpProcess.startReady(folder.path, ["--set", "spec.intervalMs=600000"]);
    const page = await up.page();
    assert.equal(page.board.decisionId, lastDecision());
    assert.deepEqual(
      page.pins.map(({ stage, variant }: { stage: string; variant: string }) => [stage, variant]),
      [["first", "light"]],
    );
    await untilServed({ first: "light" });
  });

  it("leaves no process behind when it is killed", async () => {
    assert.ok(up.children().length >= 3);
    assert.equal(await up.end("SIGKILL"), "SIGKILL");
  });
});
