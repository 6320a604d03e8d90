import { z } from "zod";
import type { LeftOutVariant } from "../control/excluded.ts";
import type { LiveChange } from "../dashboard/live-view.ts";
import { VariscaleError } from "../domain/errors.ts";
import { type OperatorPin, operatorPinSchema } from "../domain/operator-pin.ts";
import { findStage, findVariant, type Pipeline, type Stage } from "../domain/pipeline.ts";
import type { StagePin } from "../optimizer/problem.ts";
import { changeNote, parseRequest } from "./change-request.ts";
import { type OperatorTuning, storedTuningSchema } from "./operator-tuning.ts";
import { shownChangeSchema } from "./shown-change.ts";

const DAY_MS = 86_400_000;
/** Changes that are kept. */
export const MOST_CHANGES = 8;

const pinRequestSchema = z
  .strictObject({
    stage: z.string().max(63),
    variant: z.string().max(63).nullish(),
    batch: z.int().min(1).max(1024).nullish(),
    replicas: z.int().min(0).max(10_000).nullish(),
    ttlMs: z
      .int()
      .min(1000)
      .max(30 * DAY_MS),
    ...changeNote,
  })
  .refine(
    pin => pin.variant != null || pin.batch != null || pin.replicas != null,
    "must fix at least one of variant, batch and replicas",
  );

const modeRequestSchema = z.strictObject({ mode: z.enum(["shadow", "active"]), ...changeNote });
export type ModeRequest = z.output<typeof modeRequestSchema>;

const unpinRequestSchema = z.strictObject({ stage: z.string().nullable(), ...changeNote });
export type UnpinRequest = z.output<typeof unpinRequestSchema>;

/** Pins, mode, tuning and changes are each checked by themselves: one that another version wrote otherwise takes no other with it. */
const storedSchema = z.object({
  pins: z.array(operatorPinSchema.nullable().catch(null)),
  mode: z
    .object({ mode: z.enum(["shadow", "active"]), fileMode: z.enum(["shadow", "active"]) })
    .nullable()
    .catch(null),
  tuning: storedTuningSchema.nullable().default(null).catch(null),
  changes: z.array(z.unknown()).max(100).default([]),
});

export type StoredSettings = z.output<typeof storedSchema>;

/** Whether a pipeline may be in mode `active`. */
export interface ActiveMode {
  /** Throws where it may not. */
  readonly check: (pipeline: Pipeline) => void;
  /** Told why where an operator set it, and it is not gone back to. */
  readonly onDropped: (problem: string) => void;
}

const ALWAYS: ActiveMode = { check: () => undefined, onDropped: () => undefined };

/**
 * What operators set of one pipeline beside its file: pins, one a stage, the mode, and a tuning of the control loop; and their newest
 * changes.
 */
export class OperatorSettings {
  readonly #activeMode: ActiveMode;
  #pipeline: Pipeline;
  #pins: readonly OperatorPin[] = [];
  #mode: "shadow" | "active" | null = null;
  #tuning: OperatorTuning | null = null;
  #changes: readonly LiveChange[] = [];

  constructor(pipeline: Pipeline, activeMode = ALWAYS) {
    this.#pipeline = pipeline;
    this.#activeMode = activeMode;
  }

  get mode(): "shadow" | "active" {
    return this.#mode ?? this.#pipeline.mode;
  }

  /** Newest first. The audit log has all of them. */
  get changes(): readonly LiveChange[] {
    return this.#changes;
  }

  note(change: LiveChange): void {
    this.#changes = [change, ...this.#changes].slice(0, MOST_CHANGES);
  }

  /** Those of before, where none are known. */
  recall(changes: readonly LiveChange[]): void {
    if (this.#changes.length === 0) this.#changes = changes.slice(0, MOST_CHANGES);
  }

  /** Those that have not expired. */
  pins(nowMs: number): readonly OperatorPin[] {
    if (this.#pins.some(pin => pin.expiresAtMs <= nowMs))
      this.#pins = this.#pins.filter(pin => pin.expiresAtMs > nowMs);
    return this.#pins;
  }

  /** The same without who set them, and until when. */
  stagePins(nowMs: number): readonly StagePin[] {
    return this.pins(nowMs).map(({ stage, variant, batch, replicas }) => ({ stage, variant, batch, replicas }));
  }

  /**
   * The pin that the body of a request asks for, and the one that it takes the place of (null: there is none). Nothing is changed.
   *
   * @param leftOut variants that may not be served now.
   * @throws VariscaleError invalid_argument where the pipeline has no such thing, failed_precondition where it can't be served.
   */
  pinOf(
    body: unknown,
    leftOut: readonly LeftOutVariant[],
    nowMs: number,
  ): { readonly pin: OperatorPin; readonly replaced: OperatorPin | null } {
    const request = parseRequest(pinRequestSchema, body);
    const pin: OperatorPin = {
      stage: request.stage,
      variant: request.variant ?? null,
      batch: request.batch ?? null,
      replicas: request.replicas ?? null,
      reason: request.reason,
      by: request.by,
      setAtMs: nowMs,
      expiresAtMs: nowMs + request.ttlMs,
    };
    checkPin(this.#pipeline, pin);
    checkServable(this.#pipeline, pin, leftOut);
    return { pin, replaced: this.pins(nowMs).find(other => other.stage === pin.stage) ?? null };
  }

  setPin(pin: OperatorPin): void {
    this.#pins = [...this.#pins.filter(other => other.stage !== pin.stage), pin];
  }

  /** What is asked for, and the pins that it would remove: those of a stage, or all (null). */
  unpinOf(query: unknown, nowMs: number): { readonly request: UnpinRequest; readonly removed: readonly OperatorPin[] } {
    const request = parseRequest(unpinRequestSchema, query);
    const { stage } = request;
    if (stage !== null) checkStage(this.#pipeline, stage);
    return { request, removed: this.pins(nowMs).filter(pin => stage === null || pin.stage === stage) };
  }

  unpin(removed: readonly OperatorPin[]): void {
    this.#pins = this.#pins.filter(pin => !removed.includes(pin));
  }

  /** The one that has not expired, the same object as long as it is in force; null: there is none. */
  tuning(nowMs: number): OperatorTuning | null {
    if (this.#tuning && this.#tuning.expiresAtMs <= nowMs) this.#tuning = null;
    return this.#tuning;
  }

  /** @throws VariscaleError invalid_argument where it names what the pipeline does not have. */
  checkTuning(tuning: OperatorTuning): void {
    checkTuning(this.#pipeline, tuning);
  }

  setTuning(tuning: OperatorTuning | null): void {
    this.#tuning = tuning;
  }

  /** @throws VariscaleError invalid_argument where there is no such mode, or what the check of mode `active` throws. */
  modeOf(body: unknown): ModeRequest {
    const request = parseRequest(modeRequestSchema, body);
    if (request.mode === "active") this.#activeMode.check(this.#pipeline);
    return request;
  }

  /** The mode that there will be once the file is this one. */
  modeAfter({ mode }: Pipeline): "shadow" | "active" {
    return this.#mode !== null && mode === this.#pipeline.mode ? this.#mode : mode;
  }

  setMode(mode: ModeRequest["mode"]): void {
    this.#mode = mode;
  }

  snapshot(nowMs: number): StoredSettings {
    const mode = this.#mode === null ? null : { mode: this.#mode, fileMode: this.#pipeline.mode };
    const tuning = this.tuning(nowMs);
    return {
      pins: [...this.pins(nowMs)],
      mode,
      tuning: tuning && (storedTuningSchema.parse(tuning) satisfies OperatorTuning),
      changes: [...this.#changes],
    };
  }

  /** Goes on with another pipeline of the same name, as after a restart with another file. */
  adopt(pipeline: Pipeline, nowMs: number): void {
    const kept = this.snapshot(nowMs);
    this.#pipeline = pipeline;
    this.#mode = null;
    this.restore(kept, nowMs);
  }

  /** Takes over what was stored, as far as the pipeline still has it. A mode that was written into the file since then wins. */
  restore(stored: unknown, nowMs: number): void {
    const result = storedSchema.safeParse(stored);
    if (!result.success) return;
    this.#changes = result.data.changes
      .map(change => shownChangeSchema.safeParse(change))
      .flatMap(({ data }) => (data ? [data] : []))
      .slice(0, MOST_CHANGES);
    this.#pins = result.data.pins.filter(
      (pin): pin is OperatorPin =>
        pin !== null && pin.expiresAtMs > nowMs && isPossible(() => checkPin(this.#pipeline, pin)),
    );
    const { mode, tuning } = result.data;
    const isKept = tuning && tuning.expiresAtMs > nowMs && isPossible(() => checkTuning(this.#pipeline, tuning));
    this.#tuning = isKept ? tuning : null;
    if (mode && mode.fileMode === this.#pipeline.mode && (mode.mode === "shadow" || this.#mayBeActive()))
      this.#mode = mode.mode;
  }

  /** Its file may have been edited since it was said. */
  #mayBeActive(): boolean {
    try {
      this.#activeMode.check(this.#pipeline);
      return true;
    } catch (error) {
      this.#activeMode.onDropped(VariscaleError.from(error).message);
      return false;
    }
  }
}

function isPossible(check: () => void): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}

function checkTuning(pipeline: Pipeline, { pins, serving }: Pick<OperatorTuning, "pins" | "serving">): void {
  for (const pin of pins) checkPin(pipeline, pin);
  for (const [stage, variant] of Object.entries(serving?.floor ?? {}))
    checkVariant(checkStage(pipeline, stage), variant);
}

function checkPin(pipeline: Pipeline, pin: StagePin): void {
  const stage = checkStage(pipeline, pin.stage);
  if (pin.variant !== null) checkVariant(stage, pin.variant);
  const { min, max } = stage.replicas;
  if (pin.replicas !== null && (pin.replicas < min || pin.replicas > max))
    throw invalid("replicas", String(pin.replicas), `must be within the stage's bounds, ${min} to ${max}`, []);
}

/** A pin that can't be followed is refused rather than set: it would change nothing, or worse. */
function checkServable(pipeline: Pipeline, pin: StagePin, leftOut: readonly LeftOutVariant[]): void {
  const stage = checkStage(pipeline, pin.stage);
  const batches = stage.variants
    .filter(({ name, profile }) => profile !== null && (pin.variant === null || pin.variant === name))
    .map(({ profile }) => Math.max(...(profile?.points ?? []).map(point => point.batch)));
  const largest = Math.max(...batches);
  if (pin.batch !== null && pin.batch > largest) {
    const of = pin.variant ?? `any variant of stage ${stage.name}`;
    throw invalid("batch", String(pin.batch), `must be at most ${largest}, the largest that was measured of ${of}`, []);
  }
  const variant = pin.variant === null ? undefined : findVariant(stage, pin.variant);
  if (!variant) return;
  const out = leftOut.find(other => other.stage === stage.name && other.variant === variant.name);
  if (!out) return;
  const why = `${out.code}: ${out.message}`;
  throw new VariscaleError("failed_precondition", `${stage.name}/${variant.name} can't be served now: ${why}`);
}

function checkStage(pipeline: Pipeline, name: string): Stage {
  const stage = findStage(pipeline, name);
  if (stage) return stage;
  const names = pipeline.stages.map(other => other.name);
  throw invalid("stage", name.slice(0, 63), "is not a stage of the pipeline", names);
}

function checkVariant(stage: Stage, name: string): void {
  const measured = stage.variants.filter(variant => variant.profile !== null).map(variant => variant.name);
  const variant = findVariant(stage, name);
  if (!variant) throw invalid("variant", name, `is not a variant of stage ${stage.name}`, measured);
  if (!variant.profile) throw invalid("variant", name, "was not measured, so it can't be planned with", measured);
}

function invalid(field: string, value: string, rule: string, possible: readonly string[]): VariscaleError {
  const fix = possible.length > 0 ? ` Write one of: ${possible.join(", ")}.` : "";
  return new VariscaleError("invalid_argument", `${field}: ${rule} (is: ${value}).${fix}`);
}
