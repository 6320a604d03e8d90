import { z } from "zod";
import { VariscaleError } from "../domain/errors.ts";
import { formatIssue, issuesOf } from "../domain/file-issue.ts";
import { findStage, findVariant, type Pipeline, type Stage } from "../domain/pipeline.ts";
import type { StagePin } from "../optimizer/problem.ts";

const DAY_MS = 86_400_000;

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
    reason: z.string().max(500).default(""),
  })
  .refine(
    pin => pin.variant != null || pin.batch != null || pin.replicas != null,
    "must fix at least one of variant, batch and replicas",
  );

const modeRequestSchema = z.strictObject({ mode: z.enum(["shadow", "active"]) });

const storedSchema = z.object({
  pins: z.array(
    z.object({
      stage: z.string(),
      variant: z.string().nullable(),
      batch: z.number().nullable(),
      replicas: z.number().nullable(),
      reason: z.string(),
      setAtMs: z.number(),
      expiresAtMs: z.number(),
    }),
  ),
  mode: z.object({ mode: z.enum(["shadow", "active"]), fileMode: z.enum(["shadow", "active"]) }).nullable(),
});

/** A pin that an operator set: until it expires, what it fixes is given, not chosen. */
export interface OperatorPin extends StagePin {
  readonly reason: string;
  readonly setAtMs: number;
  readonly expiresAtMs: number;
}

export type StoredSettings = z.output<typeof storedSchema>;

/** What operators set of one pipeline beside its file: pins, one a stage, and the mode. */
export class OperatorSettings {
  readonly #pipeline: Pipeline;
  #pins: readonly OperatorPin[] = [];
  #mode: "shadow" | "active" | null = null;

  constructor(pipeline: Pipeline) {
    this.#pipeline = pipeline;
  }

  get mode(): "shadow" | "active" {
    return this.#mode ?? this.#pipeline.mode;
  }

  /** Those that have not expired. */
  pins(nowMs: number): readonly OperatorPin[] {
    if (this.#pins.some(pin => pin.expiresAtMs <= nowMs))
      this.#pins = this.#pins.filter(pin => pin.expiresAtMs > nowMs);
    return this.#pins;
  }

  /** Sets the pin of one stage from the body of a request; throws invalid_argument where the pipeline has no such thing. */
  pin(body: unknown, nowMs: number): OperatorPin {
    const request = parseWith(pinRequestSchema, body);
    const pin: OperatorPin = {
      stage: request.stage,
      variant: request.variant ?? null,
      batch: request.batch ?? null,
      replicas: request.replicas ?? null,
      reason: request.reason,
      setAtMs: nowMs,
      expiresAtMs: nowMs + request.ttlMs,
    };
    checkPin(this.#pipeline, pin);
    this.#pins = [...this.pins(nowMs).filter(other => other.stage !== pin.stage), pin];
    return pin;
  }

  /** Removes the pin of a stage, or all (null); tells how many there were. */
  unpin(stage: string | null, nowMs: number): number {
    const before = this.pins(nowMs);
    this.#pins = stage === null ? [] : before.filter(pin => pin.stage !== stage);
    return before.length - this.#pins.length;
  }

  setMode(body: unknown): "shadow" | "active" {
    const { mode } = parseWith(modeRequestSchema, body);
    this.#mode = mode;
    return mode;
  }

  snapshot(nowMs: number): StoredSettings {
    const mode = this.#mode === null ? null : { mode: this.#mode, fileMode: this.#pipeline.mode };
    return { pins: [...this.pins(nowMs)], mode };
  }

  /** Takes over what was stored, as far as the pipeline still has it. A mode that was written into the file since then wins. */
  restore(stored: unknown, nowMs: number): void {
    const result = storedSchema.safeParse(stored);
    if (!result.success) return;
    this.#pins = result.data.pins.filter(pin => pin.expiresAtMs > nowMs && isPossible(this.#pipeline, pin));
    const { mode } = result.data;
    if (mode && mode.fileMode === this.#pipeline.mode) this.#mode = mode.mode;
  }
}

function isPossible(pipeline: Pipeline, pin: StagePin): boolean {
  try {
    checkPin(pipeline, pin);
    return true;
  } catch {
    return false;
  }
}

function checkPin(pipeline: Pipeline, pin: StagePin): void {
  const stage = findStage(pipeline, pin.stage);
  if (!stage)
    throw invalid(
      "stage",
      pin.stage,
      "is not a stage of the pipeline",
      pipeline.stages.map(other => other.name),
    );
  if (pin.variant !== null) checkVariant(stage, pin.variant);
  const { min, max } = stage.replicas;
  if (pin.replicas !== null && (pin.replicas < min || pin.replicas > max))
    throw invalid("replicas", String(pin.replicas), `must be within the stage's bounds, ${min} to ${max}`, []);
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

function parseWith<S extends z.ZodObject>(schema: S, body: unknown): z.output<S> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const issues = issuesOf(result.error, body, Object.keys(schema.shape));
  throw new VariscaleError("invalid_argument", issues.map(formatIssue).join(" "));
}
