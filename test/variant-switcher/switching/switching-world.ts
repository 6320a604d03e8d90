import assert from "node:assert/strict";
import type { AssignedRung, Assignment } from "../../../domain/assignment.ts";
import { planResidency } from "../../../variant-switcher/residency.ts";
import { type Refused, SUPERSEDED } from "../../../variant-switcher/session-messages.ts";
import { reduce } from "../../../variant-switcher/switching/reduce.ts";
import {
  type AskedEvent,
  createState,
  findDesired,
  findWakeMs,
  findWanted,
  type Load,
  listIncoming,
  type Rungs,
  type SwitchingEffect,
  type SwitchingEvent,
  type SwitchOutcome,
} from "../../../variant-switcher/switching/state.ts";

export interface WorldOptions {
  /** MiB of a session of each variant, the most accurate first. */
  readonly sizes?: Readonly<Record<string, number>>;
  readonly memoryMiB?: number;
  /** Variants whose model can't be served. */
  readonly broken?: readonly string[];
  readonly defaultRungs?: Rungs;
}

/** A load on its way. */
interface BegunLoad {
  readonly load: Load;
  /** It makes a session, and does not only warm one. */
  readonly isMade: boolean;
  /** There is no room for it. */
  readonly refused: Refused | null;
}

interface Told {
  readonly counter: number;
  readonly code: string;
  readonly variant: string;
}

/** Everything around the reducer: memory, loads and the batcher, which end when the test says so. It checks what must always be so. */
export class SwitchingWorld {
  state;
  nowMs = 1000;
  serving: Rungs | null = null;
  readonly sessions = new Map<string, Set<number>>();
  readonly broken: Set<string>;
  readonly loads = new Map<number, BegunLoad>();
  /** The variants of all sessions that were begun to be made. */
  readonly loaded: string[] = [];
  /** Loads that were begun and given up, by id. */
  readonly aborted = new Set<number>();
  /** The rungs that the batcher was given, and that did not take over yet. */
  pending: { readonly id: number; readonly rungs: Rungs } | null = null;
  readonly answers = new Map<number, SwitchOutcome>();
  readonly told: Told[] = [];
  /** Switches that are on their way, by id. */
  readonly running = new Map<number, string>();
  readonly switches: string[] = [];
  persisted: Assignment | null = null;
  readonly #sizes: Readonly<Record<string, number>>;
  readonly #memoryMiB: number;
  /** MiB of a session that serves although another one of its variant is in memory. */
  #replaced: string | null = null;
  readonly #asked = new Set<number>();
  /** The ids of what was handed to the batcher, which then was given something newer. */
  readonly #overtaken: number[] = [];
  #lastReply = 0;
  #counter = 0;

  constructor({ sizes = { a: 4, b: 3, c: 2 }, memoryMiB = 100, broken = [], defaultRungs }: WorldOptions = {}) {
    this.#sizes = sizes;
    this.#memoryMiB = memoryMiB;
    this.broken = new Set(broken);
    const names = Object.keys(sizes);
    this.state = createState(names, defaultRungs ?? [{ variant: names[0] as string, maxBatch: 1 }]);
  }

  tell(event: SwitchingEvent): void {
    this.#handle(event);
  }

  ask(event: AskedEvent): number {
    const reply = ++this.#lastReply;
    this.#asked.add(reply);
    this.#handle({ ...event, reply });
    return reply;
  }

  /** Sends the next Assignment, of rungs by their names; `top` and `floor` are the first and the last unless it is said otherwise. */
  assign(names: string, above: Partial<Assignment> = {}, maxBatch = 1): number {
    const rungs = [...names].map((variant): AssignedRung => ({ variant, maxBatch }));
    const counter = ++this.#counter;
    const times = {
      budgetMs: 0,
      laterBudgetMs: 0,
      laterLeastMs: 0,
      headroom: 1,
      shadow: false,
      belowFloor: [],
      decisionId: "",
    };
    const assignment = {
      version: { epoch: 1, counter },
      rungs,
      top: names[0],
      floor: names.at(-1),
      ...times,
      ...above,
    };
    this.tell({ kind: "assign", assignment: assignment as Assignment });
    return counter;
  }

  pin(variant: string, ttlMs = 10_000, batch = 1): number {
    return this.ask({ kind: "pin", variant, batch, ttlMs });
  }

  outcome(reply: number): string | undefined {
    const outcome = this.answers.get(reply);
    return outcome?.kind === "refused" ? outcome.code : outcome?.kind;
  }

  /** The scaler is told these of an Assignment, one after the other; `done` where it was acked. */
  codes(counter: number): readonly string[] {
    return this.told.filter(one => one.counter === counter && one.variant === "").map(({ code }) => code);
  }

  get served(): string {
    return this.serving?.map(({ variant }) => variant).join("") ?? "";
  }

  /** Ends one load as memory and model have it. */
  endLoad(id: number): void {
    const begun = this.loads.get(id);
    if (!begun) return;
    const { load, isMade } = begun;
    this.loads.delete(id);
    const { variant, isFresh } = load;
    const isBroken = isMade ? this.broken.has(variant) : !this.sessions.has(variant);
    const fault: Refused | null = isBroken ? { kind: "refused", code: "model_invalid", message: "broken" } : null;
    const refused = this.aborted.has(id) ? SUPERSEDED : (begun.refused ?? fault);
    if (refused === null) {
      if (isFresh && this.serving?.[0]?.variant === variant && this.sessions.has(variant)) this.#replaced = variant;
      const warm = isMade ? [] : (this.sessions.get(variant) ?? []);
      this.sessions.set(variant, new Set([...warm, ...load.batches]));
    }
    this.#handle({ kind: "loaded", load: id, refused });
  }

  /** The batch that ran has ended: what waits takes over. */
  endSwap(): void {
    const { pending } = this;
    if (!pending) return;
    this.pending = null;
    const isDone = this.sessions.has(pending.rungs[0]?.variant ?? "");
    if (isDone) this.serving = pending.rungs;
    if (isDone) this.#replaced = null;
    this.#handle({ kind: "swapped", id: pending.id, isDone });
  }

  lose(variant: string, inMemoryMs = 0): void {
    if (!this.sessions.has(variant)) return;
    this.#forget(variant);
    this.#handle({ kind: "lost", variant, reason: "crashed", inMemoryMs });
  }

  /** The session in memory is lost, but another one of its variant, which it was to replace, still serves. */
  loseReplacement(variant: string): void {
    if (this.serving?.[0]?.variant !== variant || !this.sessions.has(variant)) return;
    this.sessions.delete(variant);
    this.#handle({ kind: "lost", variant, reason: "crashed", inMemoryMs: 0 });
  }

  giveUp(variant: string): void {
    if (this.serving?.[0]?.variant === variant || listIncoming(this.state).includes(variant)) return;
    this.#handle({ kind: "giveUp", variant });
    this.sessions.delete(variant);
  }

  /** Lets time pass, and wakes the reducer when it asked for that. */
  sleep(ms: number): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      const wakeMs = findWakeMs(this.state, this.#look());
      if (wakeMs > endMs) break;
      this.nowMs = wakeMs;
      this.#handle({ kind: "wake" });
      this.settle();
    }
    this.nowMs = endMs;
  }

  /** Ends all that is on its way, and what comes of it. */
  settle(): void {
    for (let i = 0; this.loads.size > 0 || this.pending; i++) {
      assert.ok(i < 200, "it does not come to rest");
      this.endSwap();
      for (const id of [...this.loads.keys()]) this.endLoad(id);
    }
  }

  #look() {
    return { nowMs: this.nowMs, serving: this.serving, sessions: this.sessions };
  }

  #handle(event: SwitchingEvent): void {
    const before = structuredClone(this.state);
    const { state, effects } = reduce(this.state, event, this.#look());
    assert.deepEqual(this.state, before, "the state before is left as it was");
    this.state = state;
    for (const effect of effects) this.#perform(effect);
    this.#check();
    for (let next = this.#overtaken.shift(); next !== undefined; next = this.#overtaken.shift())
      this.#handle({ kind: "swapped", id: next, isDone: false });
  }

  #perform(effect: SwitchingEffect): void {
    switch (effect.kind) {
      case "load":
        this.#load(effect.load);
        break;
      case "abort":
        assert.ok(this.loads.has(effect.load), "only what loads is aborted");
        this.aborted.add(effect.load);
        break;
      case "begin":
        this.running.set(effect.id, `${effect.rungs[0]?.variant} ${effect.cause}`);
        break;
      case "finish":
        assert.ok(this.running.has(effect.id), "only what was begun ends");
        this.switches.push(`${this.running.get(effect.id)} ${effect.refused?.code ?? "done"}`);
        this.running.delete(effect.id);
        if (this.pending?.id === effect.id) this.pending = null;
        break;
      case "serve":
        assert.equal(
          new Set(effect.rungs.map(({ variant }) => variant)).size,
          effect.rungs.length,
          "each rung is there once",
        );
        assert.ok(this.sessions.has(effect.rungs[0]?.variant ?? ""), "only a session in memory takes over");
        if (this.pending) this.#overtaken.push(this.pending.id);
        this.pending = { id: effect.id, rungs: effect.rungs };
        break;
      case "answer":
        assert.ok(this.#asked.delete(effect.reply), "each caller is answered once");
        this.answers.set(effect.reply, effect.outcome);
        break;
      case "tell": {
        const { outcome, variant, version } = effect;
        this.told.push({ counter: version.counter, code: outcome.kind === "done" ? "done" : outcome.code, variant });
        break;
      }
      case "persist":
        this.persisted = effect.assignment;
        break;
      default:
        effect satisfies never;
    }
  }

  #load(load: Load): void {
    const { variant, isFresh } = load;
    const others = [...this.loads.values()];
    assert.ok(!others.some(other => other.load.variant === variant), "no variant is loaded twice at once");
    const isMade = isFresh || !this.sessions.has(variant);
    assert.ok(!isMade || !others.some(other => other.isMade), "one session is made at a time");
    const refused = isMade ? this.#makeRoom(load) : null;
    if (isMade && !refused) this.loaded.push(variant);
    this.loads.set(load.id, { load, isMade, refused });
  }

  #makeRoom({ variant, beside }: Load): Refused | null {
    const memory = (name: string) => ({ variant: name, memoryMiB: this.#sizes[name] as number, lastUsedMs: 0 });
    const residents = [...this.sessions.keys(), ...(this.#replaced === null ? [] : [this.#replaced])].map(memory);
    const others = [...listIncoming(this.state), ...[...this.loads.values()].map(({ load }) => load.variant)];
    const all = [this.serving?.[0]?.variant, ...others.filter(name => name !== variant), ...beside];
    const kept = all.filter(name => typeof name === "string");
    const wanted = findWanted(this.state).map(rung => rung.variant);
    const incomingMiB = this.#sizes[variant] as number;
    const plan = planResidency({ residents, incomingMiB, budgetMiB: this.#memoryMiB, kept, wanted });
    if (plan.kind === "short") return { kind: "refused", code: "memory_short", message: "" };
    for (const name of plan.evict) this.sessions.delete(name);
    return null;
  }

  /** As the batcher does: the next lighter rung in memory takes the place of one that is lost. */
  #forget(variant: string): void {
    this.sessions.delete(variant);
    if (this.serving?.[0]?.variant !== variant) return;
    const at = this.serving.findIndex(rung => this.sessions.has(rung.variant));
    this.serving = at < 0 ? null : this.serving.slice(at);
    this.#replaced = null;
  }

  #check(): void {
    const { current, standIn, pin, phase } = this.state;
    const names = [...this.sessions.keys(), ...(this.#replaced === null ? [] : [this.#replaced])];
    for (const { load, isMade, refused } of this.loads.values()) if (isMade && !refused) names.push(load.variant);
    const usedMiB = names.reduce((sum, name) => sum + (this.#sizes[name] as number), 0);
    assert.ok(usedMiB <= this.#memoryMiB, `${usedMiB} MiB are used`);
    const expected = [...(current?.beganMs == null ? [] : [current.id]), ...(standIn ? [standIn.id] : [])];
    if (phase !== "closed") assert.deepEqual([...this.running.keys()].sort(), expected.sort(), "what runs is known");
    const mayServe = pin || current || this.state.applied || this.state.isStarted;
    const { belowFloor = [] } = this.state.applied ?? {};
    const isThere = [...this.sessions.keys()].some(variant => !belowFloor.includes(variant));
    if (this.serving === null && isThere && mayServe && phase !== "closed")
      assert.ok(this.pending, "nothing serves, although a session is in memory");
  }

  /** Fails where something is left to be done, or somebody waits. */
  checkRest(): void {
    const { current, loads, standIn, applied, newest, putOff, pin } = this.state;
    assert.deepEqual([current, loads, standIn, this.pending, [...this.#asked]], [null, [], null, null, []]);
    if (this.#counter === 0) return;
    const codes = this.codes(newest.counter);
    assert.ok(codes.length > 0, "the newest Assignment is answered");
    assert.equal(codes.at(-1) === "done", applied?.version.counter === newest.counter);
    assert.equal(putOff !== null, pin !== null && ["pinned", "superseded"].includes(codes.at(-1) ?? ""));
    assert.ok(codes.slice(0, -1).every(code => code === "pinned" || code === "superseded"));
  }

  get unanswered(): number {
    return this.#asked.size;
  }

  /** The names of the rungs that should serve. */
  get desired(): string {
    return (findDesired(this.state) ?? []).map(({ variant }) => variant).join("");
  }
}
