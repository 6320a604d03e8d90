import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "mocha";
import { pino } from "pino";
import { initialActuation } from "../../control/actuation.ts";
import { type ControlState, initialState } from "../../control/control-state.ts";
import type { LoadSample } from "../../domain/load.ts";
import { readState } from "../../runtime/state-file.ts";
import { BoardStore } from "../../scaler/board-store.ts";
import { Journal } from "../../scaler/journal.ts";
import type { LoadSource } from "../../scaler/load-source.ts";
import { ControlLoop } from "../../scaler/loop.ts";
import { PipelineControl } from "../../scaler/pipeline-control.ts";
import { ProcessConditions } from "../../scaler/process-conditions.ts";
import { StateKeeper } from "../../scaler/state-keeper.ts";
import type { StoredPipeline } from "../../scaler/stored-pipeline.ts";
import { SwitcherRegistry } from "../../scaler/switcher-registry.ts";
import { ManualClock, until } from "./support/manual-clock.ts";
import { testPipeline } from "./support/test-pipeline.ts";

class ListSource implements LoadSource {
  problem: string | null = null;
  readonly warning = null;
  readonly lastMinute = null;
  readonly staleAfterMs = 15_000;
  isClosed = false;
  waiting: LoadSample[] = [];

  take(): readonly LoadSample[] {
    return this.waiting.splice(0);
  }

  takeAnswered(): [] {
    return [];
  }

  close(): void {
    this.isClosed = true;
  }
}

class BrokenSource extends ListSource {
  override take(): readonly LoadSample[] {
    throw new Error("the source is broken");
  }
}

interface LoopState {
  /** By pipeline; missing: there is none. */
  readonly stored?: Readonly<Record<string, StoredPipeline>>;
  readonly stateDir?: string;
}

function startLoop(
  names: readonly string[],
  sourceOf: (name: string) => LoadSource | null,
  { stored = {}, stateDir }: LoopState = {},
) {
  const clock = new ManualClock();
  const lines: Record<string, unknown>[] = [];
  const logger = pino({ level: "info" }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const boards = new BoardStore(error => {
    throw error;
  });
  const conditions = new ProcessConditions(logger);
  const journal = new Journal(() => names.length, null, logger);
  const controls = names.map(
    name =>
      new PipelineControl({
        pipeline: testPipeline({ name }),
        stored: stored[name] ?? null,
        epoch: 7,
        machineCores: null,
        nowMs: clock.nowMs(),
      }),
  );
  const sources = new Map<PipelineControl, LoadSource>();
  for (const control of controls) {
    const source = sourceOf(control.pipeline.key.name);
    if (source) sources.set(control, source);
  }
  const keeper = new StateKeeper({ stateDir: stateDir ?? null, clock, conditions, onSave: () => undefined });
  const failures: string[] = [];
  const loop = new ControlLoop({
    cluster: () => null,
    sources,
    boards,
    registry: new SwitcherRegistry(),
    journal,
    conditions,
    leadership: { isLeading: true, mayBeLost: false, leader: null },
    clock,
    logger,
    onBoard: () => undefined,
    onTick: (key, _seconds, ok) => {
      if (!ok) failures.push(key.name);
    },
    onDecision: () => undefined,
    onAnew: (control, before, problem) => void keeper.setAside(control, before, problem),
    onSkippedPass: () => undefined,
    onPass: () => undefined,
  });
  for (const control of controls) loop.add(control);
  loop.start();
  const key = (name: string) => ({ namespace: "shop", name });
  return { clock, boards, conditions, journal, loop, failures, lines, key };
}

describe("ControlLoop", () => {
  it("has a board for every pipeline before it returns from start()", () => {
    const { boards, loop, key } = startLoop(["a", "b"], () => new ListSource());
    assert.equal(boards.latest(key("a"))?.plan, null);
    assert.notEqual(boards.latest(key("b")), null);
    loop.close();
  });

  it("plans from the samples of the source, and logs the decision with what it was made of", async () => {
    const source = new ListSource();
    const { clock, boards, loop, key, lines, journal } = startLoop(["a"], () => source);
    for (let i = 0; i < 5; i++) {
      source.waiting.push({ atMs: clock.nowMs(), rateRps: 40 });
      await clock.advance(1000);
    }
    const board = boards.latest(key("a"));
    assert.equal(board?.load?.rateRps, 40);
    assert.ok((board?.plan?.rateRps ?? 0) >= 40);
    const decision = journal.decisions(key("a"), 1)[0];
    assert.equal(decision?.decisionId, board?.decisionId);
    assert.match(board?.decisionId ?? "", /^d-7-/);
    const logged = lines.find(line => line["msg"] === "decision");
    for (const field of ["decisionId", "forecast", "plan", "reasons", "binding", "runnerUp"])
      assert.ok(logged && field in logged, field);
    assert.match(String(logged?.["chosen"]), /^\w+ [\w-]+×\d+/);
    loop.close();
  });

  it("keeps the last plan, and says so, when samples stop coming: missing is never zero", async () => {
    const source = new ListSource();
    const { clock, boards, loop, key } = startLoop(["a"], () => source);
    for (let i = 0; i < 5; i++) {
      source.waiting.push({ atMs: clock.nowMs(), rateRps: 200 });
      await clock.advance(1000);
    }
    const before = boards.latest(key("a"));
    assert.ok((before?.stages[0]?.replicasGoal ?? 0) > 1);
    for (let i = 0; i < 120; i++) await clock.advance(1000);
    const after = boards.latest(key("a"));
    assert.equal(after?.atMs, clock.nowMs());
    assert.equal(after?.load, null);
    assert.equal(after?.forecast, null);
    assert.deepEqual(after?.plan?.stages, before?.plan?.stages);
    assert.ok(after?.reasons.includes("held_no_data"));
    assert.equal(after?.conditions.find(one => one.type === "MetricsAvailable")?.status, false);
    loop.close();
  });

  it("lets the last board stay when a tick throws, says so, and serves the others", async () => {
    const { clock, boards, loop, key, conditions, failures, lines } = startLoop(["broken", "fine"], name =>
      name === "broken" ? new BrokenSource() : new ListSource(),
    );
    const before = boards.latest(key("broken"));
    await clock.advance(3000);
    assert.equal(boards.latest(key("broken")), before);
    assert.equal(boards.latest(key("fine"))?.atMs, clock.nowMs());
    const ticking = conditions.of(key("broken")).find(one => one.type === "Ticking");
    assert.equal(ticking?.status, false);
    assert.match(ticking?.message ?? "", /the source is broken/);
    assert.equal(failures.filter(name => name === "broken").length, 4);
    assert.equal(lines.filter(line => line["msg"] === "tick failed").length, 4);
    loop.close();
  });

  it("begins anew where it is its state that a pipeline's ticks throw for, keeps that, and leaves the others alone", async () => {
    const stateDir = mkdtempSync(join(tmpdir(), "variscale-"));
    try {
      const [plain, actuations] = [initialState(3), { detect: initialActuation(6), read: initialActuation(2) }];
      const unusable = { ...plain, actuations, quarantines: null } as unknown as ControlState;
      const stored = { epoch: 3, control: unusable, forecaster: null, settings: null };
      const names = ["broken", "fine", "sourceless"];
      const { clock, boards, conditions, loop, key, failures } = startLoop(
        names,
        name => (name === "sourceless" ? new BrokenSource() : new ListSource()),
        { stored: { broken: stored, sourceless: { ...stored, control: plain } }, stateDir },
      );
      const usable = (name: string) => conditions.of(key(name)).find(({ type }) => type === "StateUsable");
      await clock.advance(8000);
      assert.deepEqual([boards.latest(key("broken")), usable("broken")], [null, undefined]);
      await clock.advance(22_000);
      assert.equal(failures.filter(name => name === "broken").length, 10);
      const board = boards.latest(key("broken"));
      assert.ok(clock.nowMs() - (board?.atMs ?? 0) < 1000, "it ticks");
      assert.equal(board?.plan, null);
      assert.deepEqual(
        board?.stages.map(({ replicasNow }) => replicasNow),
        [6, 2],
      );
      await until(() => usable("broken") !== undefined, "the condition");
      const path = join(stateDir, "pipelines", "shop_broken.json.unusable");
      const { status = true, message = "" } = usable("broken") ?? {};
      assert.equal(status, false);
      assert.match(message, /^ticks failed one after the other, .*null.*\. It was kept as .*unusable\./);
      assert.ok(message.includes(path), message);
      const kept = readState(path);
      assert.ok(kept.kind === "ok");
      assert.deepEqual((kept.payload as StoredPipeline).control, unusable);
      assert.deepEqual(readdirSync(join(stateDir, "pipelines")), ["shop_broken.json.unusable"]);
      assert.deepEqual([usable("fine"), usable("sourceless")], [undefined, undefined]);
      assert.ok(clock.nowMs() - (boards.latest(key("fine"))?.atMs ?? 0) < 1000, "so does the other");
      loop.close();
    } finally {
      rmSync(stateDir, { recursive: true });
    }
  });

  it("shows a source that does not answer, and one that is not configured", async () => {
    const silent = new ListSource();
    silent.problem = "no answer within 2000 ms";
    const { loop, conditions, key } = startLoop(["a", "b"], name => (name === "a" ? silent : null));
    const messageOf = (name: string) =>
      conditions.of(key(name)).find(one => one.type === "LoadSourceAnswering")?.message ?? "";
    assert.match(messageOf("a"), /no answer within/);
    assert.match(messageOf("b"), /no source `gateway` is configured/);
    loop.close();
  });

  it("stops", async () => {
    const { clock, boards, loop, key } = startLoop(["a"], () => new ListSource());
    loop.close();
    const before = boards.latest(key("a"));
    await clock.advance(5000);
    assert.equal(boards.latest(key("a")), before);
    assert.equal(clock.timers, 0);
  });
});

describe("BoardStore", () => {
  it("reports what a listener throws and calls the others", () => {
    const { boards, loop, key } = startLoop(["a"], () => null);
    loop.close();
    const board = boards.latest(key("a"));
    assert.ok(board);
    const errors: unknown[] = [];
    const store = new BoardStore(error => errors.push(error));
    const heard: string[] = [];
    store.subscribe(null, () => {
      throw new Error("reader");
    });
    const stop = store.subscribe(key("a"), one => heard.push(one.key.name));
    store.subscribe(key("other"), () => heard.push("other"));
    store.publish(board);
    stop();
    store.publish(board);
    assert.deepEqual(heard, ["a"]);
    assert.equal(errors.length, 2);
    assert.equal(store.latest(key("a")), board);
    assert.equal(store.latest(key("b")), null);
  });
});
