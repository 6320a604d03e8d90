import type { Pipeline } from "../domain/pipeline.ts";
import { pipelineWith } from "./optimizer-instances.ts";

/**
 * The five pipelines of IPA (Ghafouri et al., JSys 2024): variants, base cores and scores of its Table 6 and appendix Tables 7–14,
 * weights of its configurations. Where the published code (`accuracies.yaml`) has other variants than the tables, these are the code's,
 * as the published accuracies are products of them: for speech s2t alone (the tables: two of wav2vec2 as well), for answering two
 * models of one size (83.79 for the better one), for sentiment a second DistilBERT, of 91.1, and for languages 99.59 (79.62).
 *
 * Milliseconds are the mean service time of one row at the base cores. Those marked `measured` are 1/throughput of single rows in the
 * printed profiles of the paper's repository (series 84, 82, 85, 97, 98, 99); the others are estimates: between measured variants by
 * parameters, over cores as yolov5x scales, and so that the mean of a stage is its SLA over 25.
 */
interface IpaVariant {
  readonly name: string;
  readonly cores: number;
  /** 0 to 100; 100 − word error rate for speech. */
  readonly score: number;
  readonly ms: number;
  readonly measured: boolean;
}

const variant = (name: string, cores: number, score: number, ms: number, measured = true): IpaVariant => ({
  name,
  cores,
  score,
  ms,
  measured,
});

const STAGES: Readonly<Record<string, readonly IpaVariant[]>> = {
  detection: [
    variant("yolov5n", 1, 45.7, 65),
    variant("yolov5s", 1, 56.8, 129, false),
    variant("yolov5m", 2, 64.1, 190, false),
    variant("yolov5l", 4, 67.3, 210, false),
    variant("yolov5x", 8, 68.9, 233),
  ],
  classification: [
    variant("resnet18", 1, 69.75, 52),
    variant("resnet34", 1, 73.31, 89),
    variant("resnet50", 1, 76.13, 108),
    variant("resnet101", 1, 77.37, 171),
    variant("resnet152", 2, 78.31, 186),
  ],
  speech: [
    variant("s2t-small", 1, 58.72, 334),
    variant("s2t-medium", 2, 64.88, 440),
    variant("s2t-large", 4, 66.74, 759),
  ],
  answering: [variant("xlm-roberta-base", 1, 77.14, 35, false), variant("roberta-base", 1, 82.91, 35, false)],
  sentiment: [
    variant("distilbert", 1, 79.63, 16, false),
    variant("bert", 1, 79.9, 27, false),
    variant("distilbert-sst-2", 1, 91.1, 16, false),
    variant("roberta", 1, 83.03, 87, false),
  ],
  summary: [
    variant("distilbart-1-1", 1, 32.26, 167, false),
    variant("distilbart-12-1", 2, 33.37, 199),
    variant("distilbart-6-6", 4, 35.73, 136, false),
    variant("distilbart-12-3", 8, 36.39, 83, false),
    variant("distilbart-9-6", 8, 36.61, 94, false),
    variant("distilbart-12-6", 16, 36.99, 80, false),
  ],
  language: [variant("xlm-roberta", 1, 99.59, 88)],
  translation: [variant("opus-mt", 4, 33.1, 322), variant("opus-mt-big", 8, 34.4, 417)],
};

/** Throughput of large batches over that of single rows, as the printed profiles saturate. */
const BATCHING_GAIN: Readonly<Record<string, number>> = { detection: 1.32, speech: 1.48, translation: 2.64 };
const GAIN = 1.5;

export interface IpaPipeline {
  readonly name: string;
  readonly stages: readonly string[];
  /** As published; it is 25 times the mean latency of a stage's variants, not 5 times. */
  readonly slaSeconds: number;
  readonly alpha: number;
  readonly beta: number;
  readonly batchingCap: number;
  /** Load that was planned for over the load: `predictor_margin` and `throughput_margin` of its configurations. */
  readonly margin: number;
  /** FA2-high as IPA's authors ran it: heavier, but not the heaviest variants. */
  readonly paperHigh: readonly string[];
}

export const IPA_PIPELINES: readonly IpaPipeline[] = [
  ipa("video", ["detection", "classification"], 6.89, 2, 1, 8, 1, ["yolov5s", "resnet101"]),
  ipa("audio-qa", ["speech", "answering"], 9.23, 10, 0.5, 1, 2.4, ["s2t-medium", "roberta-base"]),
  ipa("audio-sent", ["speech", "sentiment"], 9.42, 30, 0.5, 1, 2.4, ["s2t-medium", "distilbert-sst-2"]),
  ipa("sum-qa", ["summary", "answering"], 3.84, 10, 0.5, 1, 2, ["distilbart-12-6", "roberta-base"]),
  ipa("nlp", ["language", "translation", "summary"], 17.61, 40, 0.5, 1, 2, [
    "xlm-roberta",
    "opus-mt-big",
    "distilbart-12-6",
  ]),
];

function ipa(
  name: string,
  stages: readonly string[],
  slaSeconds: number,
  alpha: number,
  beta: number,
  batchingCap: number,
  margin: number,
  paperHigh: readonly string[],
): IpaPipeline {
  return { name, stages, slaSeconds, alpha, beta, batchingCap, margin, paperHigh };
}

export interface IpaOptions {
  readonly policy: string;
  /** Of the published SLA: 1, or 0.2 for an honest five times the mean latency. */
  readonly slaShare?: number;
  /**
   * The queue term of the published code, at a rate: in the place of (b − 1)/λ it adds −|V|·(|B| − 1)/λ to every stage, whatever is
   * chosen, which is an SLA that is longer by as much. Default: (b − 1)/λ alone.
   */
  readonly codeQueueTermAtRps?: number;
  /** Largest batch; default: the pipeline's own cap. */
  readonly batchingCap?: number;
  /** Per unit of accuracy; default: IPA's α. */
  readonly alpha?: number;
  /** Per core; default: IPA's β. */
  readonly beta?: number;
}

export function ipaPipeline(given: IpaPipeline, options: IpaOptions): Pipeline {
  const { policy, slaShare = 1, batchingCap = given.batchingCap, codeQueueTermAtRps } = options;
  const { alpha = given.alpha, beta = given.beta } = options;
  const contract = {
    inputs: [{ name: "x", datatype: "FP32", shape: [-1, 1] }],
    outputs: [{ name: "y", datatype: "FP32", shape: [-1, 1] }],
  };
  const stages = given.stages.map(stage => {
    const variants = STAGES[stage] ?? [];
    const gain = BATCHING_GAIN[stage] ?? GAIN;
    return {
      name: stage,
      replicas: { min: 1, max: 100 },
      defaultVariant: variants[0]?.name,
      contract,
      variants: variants.map(({ name, cores, score, ms }) => ({
        name,
        model: `${stage}/${name}.onnx`,
        sha256: "c".repeat(64),
        accuracy: score / 100,
        profile: {
          cores,
          points: [1, 2, 4, 8, 16, 32, 64]
            .filter(batch => batch <= batchingCap)
            .map(batch => ({ batch, latencyMs: ms * (1 - 1 / gain + batch / gain) })),
        },
      })),
    };
  });
  const sizes = stages.map(({ variants }) => variants.length * ((variants[0]?.profile.points.length ?? 1) - 1));
  const relaxedBy =
    codeQueueTermAtRps === undefined ? 0 : sizes.reduce((sum, size) => sum + size, 0) / codeQueueTermAtRps;
  const weights = { accuracy: alpha, cost: beta, batch: 1e-6, switch: 0 };
  return pipelineWith(
    {
      slo: { latencyMs: 1000 * (given.slaSeconds * slaShare + relaxedBy) },
      objective: { policy, podShape: "variant", weights },
      accuracy: { method: "product" },
      stages,
    },
    given.name,
  );
}
