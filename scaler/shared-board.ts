import { createHash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import { z } from "zod";
import type { PipelineBoard } from "../control/board.ts";
import { VariscaleError } from "../domain/errors.ts";
import { formatKey, type PipelineKey } from "../domain/pipeline.ts";
import { openEnvelope, sealEnvelope } from "../runtime/state-envelope.ts";
import type { AnsweredBoard, AnsweredStage } from "./keda-answer.ts";
import { isPossibleEpoch } from "./lease-record.ts";
import { parseStoredPipeline, type StoredPipeline } from "./stored-pipeline.ts";

/** Marks the ConfigMaps of one Lease's scalers. */
export const LEASE_LABEL = "variscale.dev/lease";
const PIPELINE = "variscale.dev/pipeline";
const WRITE = "variscale.dev/write";
const DATA = "board.json.gz";

/** An object has 1.5 MiB at most in etcd, and a ConfigMap 1 MiB of data. */
const MOST_BYTES = 700 * 1024;
const MOST_UNPACKED_BYTES = 32 * 1024 * 1024;
const GZIP_LEVEL = 3;

/** Which write of a board it is: those of a later leader are later than all of an earlier one. */
export interface BoardWrite {
  readonly epoch: number;
  /** 1 for the leader's first. */
  readonly number: number;
}

export const NO_WRITE: BoardWrite = { epoch: 0, number: 0 };

/** Below 0 when `a` is earlier than `b`. */
export function compareWrites(a: BoardWrite, b: BoardWrite): number {
  return a.epoch - b.epoch || a.number - b.number;
}

/** What the leader shares of one pipeline: what KEDA is answered, and what a successor goes on from. */
export interface SharedBoard {
  readonly answered: AnsweredBoard;
  /** Null: it can't be read here. */
  readonly stored: StoredPipeline | null;
  /** Why not; null: it can. */
  readonly problem: string | null;
}

/** A ConfigMap with a board, as it was found; its data are still packed. */
export interface BoardObject {
  readonly name: string;
  readonly resourceVersion: string;
  /** `namespace/name` of the pipeline. */
  readonly pipeline: string;
  readonly write: BoardWrite;
  readonly data: string;
}

const stageSchema: z.ZodType<AnsweredStage> = z.object({
  stage: z.string().max(253),
  metricValue: z.int().min(0),
  active: z.boolean(),
  replicasReady: z.int().min(0),
});
const payloadSchema = z.object({
  pipeline: z.object({ namespace: z.string(), name: z.string() }),
  atMs: z.number(),
  stages: z.array(stageSchema).max(1000),
  // Scalers of earlier versions leave it to the state.
  isPlanned: z.boolean().optional(),
  state: z.unknown(),
});
const plannedSchema = z.object({ control: z.object({ plan: z.object({}) }) });

const objectSchema = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    resourceVersion: z.string(),
    annotations: z.looseObject({ [PIPELINE]: z.string(), [WRITE]: z.string().regex(/^\d{1,15}\.\d{1,15}$/) }),
  }),
  binaryData: z.looseObject({ [DATA]: z.string() }),
});

/** Pipelines' names are longer than a name may be together with the Lease's, and hold dots. */
export function boardObjectName(lease: string, key: PipelineKey): string {
  return `${lease}-board-${createHash("sha256").update(formatKey(key)).digest("hex").slice(0, 16)}`;
}

/** Of the ConfigMap that is written, beside its name. */
export interface BoardBody {
  readonly metadata: { readonly labels: object; readonly annotations: object };
  readonly binaryData: Readonly<Record<string, string>>;
}

/** Throws resource_exhausted where it has no room in a ConfigMap. */
export function boardObject(
  lease: string,
  board: PipelineBoard,
  stored: StoredPipeline,
  write: BoardWrite,
  nowMs: number,
): BoardBody {
  const key = formatKey(board.key);
  const payload = {
    pipeline: board.key,
    atMs: board.atMs,
    stages: board.stages.map(({ stage, metricValue, active, replicasReady }) => ({
      stage,
      metricValue,
      active,
      replicasReady,
    })),
    isPlanned: board.plan !== null,
    state: stored,
  };
  const data = gzipSync(sealEnvelope(key, payload, nowMs), { level: GZIP_LEVEL }).toString("base64");
  if (data.length > MOST_BYTES)
    throw new VariscaleError(
      "resource_exhausted",
      `the board of ${key} has ${data.length} bytes, at most ${MOST_BYTES} have room in a ConfigMap: give the pipeline fewer replicas or stages`,
    );
  return {
    metadata: {
      labels: { "app.kubernetes.io/managed-by": "variscale", [LEASE_LABEL]: lease },
      annotations: { [PIPELINE]: key, [WRITE]: `${write.epoch}.${write.number}` },
    },
    binaryData: { [DATA]: data },
  };
}

/**
 * Throws where it is no ConfigMap with a board.
 *
 * @param leaseEpoch the epoch of the Lease, as it is known.
 */
export function parseBoardObject(object: unknown, leaseEpoch: number, nowMs: number): BoardObject {
  const { metadata, binaryData } = objectSchema.parse(object);
  const [epoch = 0, number = 0] = metadata.annotations[WRITE].split(".").map(Number);
  if (!isPossibleEpoch(epoch, leaseEpoch, nowMs))
    throw new VariscaleError("invalid_argument", `ConfigMap ${metadata.name}: no leader has had epoch ${epoch} yet`);
  return {
    name: metadata.name,
    resourceVersion: metadata.resourceVersion,
    pipeline: metadata.annotations[PIPELINE],
    write: { epoch, number },
    data: binaryData[DATA],
  };
}

/**
 * Checks every field. What KEDA is answered has few, so that a scaler of another version can read it where the state says nothing to it.
 * A string: what is wrong with all of it.
 */
export function openBoardObject(object: BoardObject): SharedBoard | string {
  let text: string;
  try {
    text = gunzipSync(Buffer.from(object.data, "base64"), { maxOutputLength: MOST_UNPACKED_BYTES }).toString("utf8");
  } catch {
    return "its data can't be unpacked: they were damaged or edited";
  }
  const opened = openEnvelope(text);
  if (typeof opened === "string") return opened;
  const result = payloadSchema.safeParse(opened.payload);
  if (!result.success) return "it holds no board: another version wrote it";
  const { pipeline, atMs, stages, state, isPlanned = plannedSchema.safeParse(state).success } = result.data;
  if (formatKey(pipeline) !== object.pipeline) return `it is the board of ${formatKey(pipeline)}`;
  const answered = { key: pipeline, atMs, plan: isPlanned ? "shared" : null, stages };
  const { stored, problem } = parseStoredPipeline(state);
  if (stored?.control) return { answered, stored, problem: null };
  const said = `its state can't be read, as one of another version: KEDA is answered from the board, and this scaler would begin anew if it led (${problem})`;
  return { answered, stored: null, problem: said };
}
