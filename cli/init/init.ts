import { VariscaleError } from "../../domain/errors.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { parsePipelineFile } from "../../domain/pipeline-file.ts";
import { findRefused } from "../../profiler/check-contracts.ts";
import { codeText } from "./code-text.ts";
import { describeOnnx } from "./describe-onnx.ts";
import { describeServed } from "./describe-served.ts";
import type { DescribedModel } from "./described-model.ts";
import { type MeasuredPoint, measureServed } from "./measure-served.ts";
import { modelFileOf, pipelineText } from "./pipeline-text.ts";
import { readmeText } from "./readme-text.ts";
import { type NewStage, stagesOf } from "./stages.ts";
import { type NewFile, writeFiles } from "./write-files.ts";

export interface InitOptions {
  readonly folder: string;
  readonly name: string;
  /** Paths, or `stage=path`. */
  readonly models: readonly string[];
  /** Of Open Inference Protocol servers, or of models of theirs. */
  readonly urls: readonly string[];
  readonly sloMs: number;
  /** Sends served models requests, to learn how long they take. */
  readonly measure: boolean;
  readonly force: boolean;
  readonly say: (line: string) => void;
}

export interface InitResult {
  readonly folder: string;
  readonly files: readonly string[];
  readonly stages: readonly { readonly name: string; readonly variants: readonly string[] }[];
}

/**
 * Writes a pipeline of models that there are: its file, code that works, copies of model files, and what comes next.
 *
 * @throws VariscaleError where a model is not as it must be, or something is there already.
 */
export async function initPipeline(options: InitOptions): Promise<InitResult> {
  const { folder, name, sloMs, force } = options;
  const described: DescribedModel[] = [];
  for (const model of options.models) described.push(await describeOnnx(model));
  for (const url of options.urls) described.push(...(await describeServed(url, options.say)));
  const stages = stagesOf(described);
  const pipeline = { name, sloMs, stages };
  let text = pipelineText(pipeline, new Map());
  const parsed = parsePipelineFile(text, () => null);
  if (!parsed.ok) {
    const issues = parsed.issues.map(({ path, rule, value }) => `${path}: ${rule} (is: ${value})`);
    throw new VariscaleError("invalid_argument", `these models make no valid pipeline file: ${issues.join("; ")}`);
  }
  if (options.measure) {
    await checkServed(stages, parsed.pipeline);
    text = pipelineText(pipeline, await measureAll(stages, options.say));
  }
  const files: NewFile[] = [
    { path: "pipeline.yaml", content: { text } },
    { path: "index.mjs", content: { text: codeText(stages) } },
    { path: "README.md", content: { text: readmeText(pipeline, options.measure) } },
    ...stages.flatMap(({ models }) =>
      models.flatMap((model): NewFile[] =>
        model.source.kind === "file"
          ? [{ path: `models/${modelFileOf(model.name)}`, content: { copyOf: model.source.path } }]
          : [],
      ),
    ),
  ];
  writeFiles(folder, files, force);
  return {
    folder,
    files: files.map(({ path }) => path),
    stages: stages.map(stage => ({ name: stage.name, variants: stage.models.map(model => model.name) })),
  };
}

/** @throws failed_precondition where a server answers otherwise than it describes its model: that can serve nothing, and is not measured. */
async function checkServed(stages: readonly NewStage[], pipeline: Pipeline): Promise<void> {
  // The pipeline file has the addresses that switchers will see.
  const urls = new Map(
    stages.flatMap(({ models }) =>
      models.flatMap(({ name, source }) => (source.kind === "served" ? [[name, source.url] as const] : [])),
    ),
  );
  const served = pipeline.stages.map(stage => ({
    ...stage,
    variants: stage.variants
      .filter(({ name }) => urls.has(name))
      .map(variant => ({ ...variant, url: urls.get(variant.name) ?? null })),
  }));
  const broken = (await findRefused({ stages: served }, "")).filter(({ code }) => code === "contract_mismatch");
  if (broken.length > 0)
    throw new VariscaleError(
      "failed_precondition",
      `--measure: ${broken.map(({ message }) => message).join(" ")} The contract is what the server says of the model: correct the model there.`,
    );
}

async function measureAll(
  stages: readonly NewStage[],
  say: (line: string) => void,
): Promise<ReadonlyMap<DescribedModel, readonly MeasuredPoint[]>> {
  const points = new Map<DescribedModel, readonly MeasuredPoint[]>();
  for (const model of stages.flatMap(({ models }) => models))
    if (model.source.kind === "served")
      points.set(model, await measureServed({ inputs: model.inputs, source: model.source }, say));
  return points;
}
