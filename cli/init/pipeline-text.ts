import { enoughMiB } from "../../domain/memory-fit.ts";
import type { TensorContract } from "../../domain/tensor.ts";
import type { DescribedModel } from "./described-model.ts";
import type { MeasuredPoint } from "./measure-served.ts";
import type { NewStage } from "./stages.ts";

export interface NewPipeline {
  readonly name: string;
  readonly sloMs: number;
  readonly stages: readonly NewStage[];
}

const MIB = 1024 * 1024;

/** A pipeline file with what is known, what was measured, and comments on what is to be decided. */
export function pipelineText(
  { name, sloMs, stages }: NewPipeline,
  points: ReadonlyMap<DescribedModel, readonly MeasuredPoint[]>,
): string {
  return `apiVersion: variscale.dev/v1alpha1
kind: InferencePipeline
metadata: { name: ${name} }
spec:
  mode: shadow # says what it would do and does nothing; active: it does it
  slo: { latencyMs: ${sloMs}, quantile: 0.95 } # 95 of 100 answers within this time, end to end
  code: ./index.mjs # what is done around the models: write your own
  measurements: measurements.json # of \`variscale profile\`
  stages:
${stages.map((stage, i) => stageText(stage, points, i === 0)).join("")}`;
}

function stageText(
  { name, inputs, outputs, models }: NewStage,
  points: ReadonlyMap<DescribedModel, readonly MeasuredPoint[]>,
  isFirst: boolean,
): string {
  return `    - name: ${name}
      cores: 1 # of one replica, whatever variant it serves
      memoryMiB: ${memoryFor(models)} # of one replica: room for two variants
      replicas: ${replicasText(models)}
      fanOut: 1 # ${isFirst ? "rows for each request" : "rows for each row of the stage before"}; \`variscale profile\` measures it where index.mjs has an evaluation
      contract: # of every variant; the first dimension is the batch
        inputs:
${inputs.map(tensorText).join("")}        outputs:
${outputs.map(tensorText).join("")}      defaultVariant: ${lightest(models).name} # what a replica serves that nobody has told anything yet
      variants:
${models.map(model => variantText(model, points.get(model))).join("")}`;
}

/** Replicas on one machine share the server, so that more of them serve no more; in a cluster each pod has a server of its own. */
function replicasText(models: readonly DescribedModel[]): string {
  if (models.every(({ source }) => source.kind === "file")) return "{ min: 1, max: 4 }";
  return "{ min: 1, max: 1 } # they would share one server here; in a cluster, where each pod has one, allow more";
}

function tensorText({ name, datatype, shape }: TensorContract): string {
  return `          - { name: ${JSON.stringify(name)}, datatype: ${datatype}, shape: [${shape.join(", ")}] }\n`;
}

function variantText({ name, source }: DescribedModel, points: readonly MeasuredPoint[] | undefined): string {
  if (source.kind === "file")
    return `        - { name: ${name}, model: ${modelFileOf(name)}, sha256: "${source.sha256}" }\n`;
  // The server must be in the pod of its switcher.
  const { port, protocol } = new URL(source.url);
  const url = `http://127.0.0.1:${port || (protocol === "https:" ? 443 : 80)}`;
  const profile = points
    ? `, profile: { cores: 1, points: [${points.map(({ batch, latencyMs }) => `{ batch: ${batch}, latencyMs: ${latencyMs} }`).join(", ")}] }`
    : "";
  return `        - { name: ${name}, driver: remote, model: ${JSON.stringify(source.model)}, url: "${url}"${profile} }\n`;
}

/** In the model folder. */
export function modelFileOf(variant: string): string {
  return `${variant}.onnx`;
}

function lightest(models: readonly DescribedModel[]): DescribedModel {
  return models.toSorted((a, b) => bytesOf(a) - bytesOf(b))[0] as DescribedModel;
}

function bytesOf({ source }: DescribedModel): number {
  return source.kind === "file" ? source.bytes : 0;
}

/** A session takes at least this much, and some times the file where it was not seen to take more; `variscale profile` measures it. */
const SESSION_MIB = 24;
const FILE_FACTOR = 3;
const LEAST_MIB = 256;

/** Memory that two variants fit into beside each other. */
function memoryFor(models: readonly DescribedModel[]): number {
  const variants = models.flatMap(({ name, source }) => {
    if (source.kind !== "file") return [];
    const guessedMiB = SESSION_MIB + (FILE_FACTOR * source.bytes) / MIB;
    return [{ name, sessionMiB: Math.max(guessedMiB, SESSION_MIB + source.sessionMiB) }];
  });
  return Math.max(LEAST_MIB, enoughMiB({ variants }));
}
