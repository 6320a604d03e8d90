import { basename, dirname, resolve } from "node:path";
import { VariscaleError } from "../../domain/errors.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { invalidFile, parsePipelineFile } from "../../domain/pipeline-file.ts";
import type { TensorContract } from "../../domain/tensor.ts";
import type { DescribedModel } from "../init/described-model.ts";

/** A pipeline of one stage with one variant, for a model that no pipeline file names. */
export interface DirectPipeline {
  readonly pipeline: Pipeline;
  readonly modelFolder: string;
}

/** Whether what is to be measured is a model itself, and not a pipeline. */
export function isModel(target: string): boolean {
  return target.endsWith(".onnx") || /^https?:\/\/.*\/v2\/models\/[^/]+\/*$/.test(target);
}

/**
 * @param target an ONNX file, or the address of a model of the Open Inference Protocol V2: `http://host:8000/v2/models/NAME`.
 * @param shapes of a row, as `ids=128` or `image=3x224x224`, for inputs that leave dimensions open.
 * @param cores of the stage.
 * @throws VariscaleError where the model can't be loaded, read or asked, or a shape is wrong.
 */
export async function directPipeline(
  target: string,
  shapes: readonly string[],
  cores: number,
): Promise<DirectPipeline> {
  const model = await describe(target);
  const { source } = model;
  const variant =
    source.kind === "file"
      ? { name: model.name, model: basename(source.path), sha256: source.sha256 }
      : { name: model.name, driver: "remote", model: source.model, url: "http://127.0.0.1:1" };
  const text = JSON.stringify({
    apiVersion: "variscale.dev/v1alpha1",
    kind: "InferencePipeline",
    metadata: { name: "profile" },
    spec: {
      slo: { latencyMs: 1000 },
      stages: [
        {
          ...{ name: "model", cores, defaultVariant: model.name, variants: [variant] },
          contract: { inputs: shaped(model, shapes), outputs: model.outputs },
        },
      ],
    },
  });
  const parsed = parsePipelineFile(text, () => null);
  if (!parsed.ok) throw invalidFile(target, parsed.issues);
  const { pipeline } = parsed;
  if (source.kind === "file") return { pipeline, modelFolder: dirname(resolve(source.path)) };
  // Anywhere: what a switcher may use must be in its own pod.
  const at = pipeline.stages.map(stage => ({
    ...stage,
    variants: stage.variants.map(one => ({ ...one, url: source.url })),
  }));
  return { pipeline: { ...pipeline, stages: at }, modelFolder: "" };
}

async function describe(target: string): Promise<DescribedModel> {
  try {
    if (target.endsWith(".onnx")) {
      const { describeOnnx } = await import("../init/describe-onnx.ts");
      // Without a name of a stage before it.
      return await describeOnnx(resolve(target));
    }
    const { describeServed } = await import("../init/describe-served.ts");
    const [model] = await describeServed(target, () => undefined);
    if (model) return model;
  } catch (error) {
    const { code, message } = VariscaleError.from(error);
    // Which are options of `init`.
    throw new VariscaleError(code, message.replace(/^--(model|from-v2) /, ""), { cause: error });
  }
  throw new VariscaleError("not_found", `${target} has no model`);
}

/** The model's inputs, with the dimensions that the user gives. */
function shaped({ inputs }: DescribedModel, shapes: readonly string[]): readonly TensorContract[] {
  const given = new Map(shapes.map(text => parseShape(text)));
  for (const name of given.keys())
    if (!inputs.some(input => input.name === name))
      throw new VariscaleError(
        "invalid_argument",
        `--shape ${name}: the model has no such input, only ${inputs.map(input => input.name).join(", ")}`,
      );
  return inputs.map(input => withShape(input, given.get(input.name) ?? null));
}

function withShape(input: TensorContract, given: readonly number[] | null): TensorContract {
  const own = input.shape.slice(1);
  if (given === null) return input;
  if (given.length !== own.length || own.some((dimension, i) => dimension !== -1 && dimension !== given[i]))
    throw new VariscaleError(
      "invalid_argument",
      `--shape ${input.name}=${given.join("x")}: a row of this input has ${own.map(one => (one === -1 ? "?" : one)).join("x")}`,
    );
  return { ...input, shape: [-1, ...given] };
}

function parseShape(text: string): readonly [string, readonly number[]] {
  const [, name, dimensions] = /^(.+)=([1-9]\d{0,8}(?:x[1-9]\d{0,8})*)$/.exec(text) ?? [];
  if (name !== undefined && dimensions !== undefined) return [name, dimensions.split("x").map(Number)];
  throw new VariscaleError(
    "invalid_argument",
    `--shape ${text}: must be an input and the shape of its rows, as in image=3x224x224`,
  );
}
