import { z } from "zod";

/** A measured number that can only be positive and finite. */
export const positive = z.number().positive().max(1e9);
export const share = z.number().min(0).max(1);
export const name = z
  .string()
  .max(63)
  .regex(
    /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
    "must be lower-case letters, digits, `-` or `.`, and start and end with a letter or digit",
  )
  // What every object has: looked up by name, it would be found where nothing was given.
  .refine(text => text !== "constructor", "must not be `constructor`");

const batchPoint = z.strictObject({
  batch: z.int().min(1).max(1024).describe("Rows in the batch"),
  latencyMs: positive.describe("Mean service time of a full batch of this size"),
  scv: z.number().min(0).max(100).default(0.02).describe("Squared coefficient of variation of the service time"),
  cpuMs: positive.optional().describe("CPU time of one batch, all threads"),
  spread: z
    .number()
    .min(0)
    .max(1e6)
    .optional()
    .describe(
      "How much slower the second fastest window was than the fastest, as a share: at most 10 % and 0.02 ms unless it is noise",
    ),
  throughputRps: positive.optional().describe("Rows a second in full batches of this size, one after the other"),
  fill: share
    .optional()
    .describe(
      "Share of the batch's rows whose outputs are as those of the row alone; points below 0.85 are not kept by the profiler",
    ),
});

const fit = z.strictObject({
  fixedMs: z
    .number()
    .min(-1e9)
    .max(1e9)
    .describe("Of a batch, whatever its size; below 0 where rows take longer in larger batches"),
  rowMs: z.number().min(-1e9).max(1e9).describe("Of each row"),
  largestResidual: z
    .number()
    .min(0)
    .max(1e6)
    .describe("Largest distance of a measured time from the line, as a share of it"),
  isotonicResidual: z
    .number()
    .min(0)
    .max(1e6)
    .describe("The same from the times of the points, which never fall with the batch"),
});

const switchTimes = z.strictObject({
  coldMs: z.number().min(0).max(1e7).describe("With load, check, warm-up and hand-over"),
  residentMs: z
    .number()
    .min(0)
    .max(1e7)
    .optional()
    .describe("Where it is resident; absent: the memory holds one alone"),
});

const points = z.array(batchPoint).min(1, "must have at least one batch size").max(64).superRefine(checkRising);

const otherCores = z.strictObject({
  cores: positive.describe("Cores that this was measured at"),
  loadMs: z.number().min(0).max(1e7).default(0).describe("As above"),
  memoryMiB: positive.optional().describe("As above"),
  points,
  fit: fit.optional().describe("As above"),
});

export const profileSchema = z.strictObject({
  cores: positive.describe("Cores of the pod's shape that this was measured at"),
  loadMs: z.number().min(0).max(1e7).default(0).describe("From the file to a warm session"),
  memoryMiB: positive
    .optional()
    .describe("Resident memory that one session adds, which has run full batches of all sizes in `points`"),
  points,
  fit: fit.optional().describe("Service time of a batch as a line"),
  switch: switchTimes.optional().describe("From another variant to this one, in a running switcher"),
  otherCores: z
    .array(otherCores)
    .max(16)
    .optional()
    .describe("The same at other cores: what is planned with when the stage's are changed to these"),
});

/** A larger batch is written later, and takes no less time. */
function checkRising(
  rising: readonly { readonly batch: number; readonly latencyMs: number }[],
  context: z.RefinementCtx,
): void {
  for (let i = 1; i < rising.length; i++) {
    const before = rising[i - 1];
    const point = rising[i];
    if (!before || !point) continue;
    if (point.batch <= before.batch) {
      context.addIssue({
        code: "custom",
        path: [i, "batch"],
        message: "must be larger than the batch size before it",
        input: point.batch,
      });
    }
    if (point.latencyMs < before.latencyMs) {
      context.addIssue({
        code: "custom",
        path: [i, "latencyMs"],
        message: `must not be below the ${before.latencyMs} ms of batch ${before.batch}: a larger batch can't be faster; measure again on a quieter machine`,
        input: point.latencyMs,
      });
    }
  }
}

const proportion = z.strictObject({
  accuracy: share,
  items: z.int().min(1).optional().describe("Number of labelled items behind it"),
  interval: z.tuple([share, share]).optional().describe("95 % confidence interval"),
});

const stageProportion = z.strictObject({
  ...proportion.shape,
  confidenceThreshold: z
    .number()
    .min(-1e30)
    .max(1e30)
    .optional()
    .describe(
      "Where the stage has `accuracy.confidence`: as many items have a less confident row than this as are wrong",
    ),
});

const combination = z.strictObject({
  variants: z.record(name, name).describe("The variant of every stage"),
  ...proportion.shape,
  partAccuracy: share.optional().describe("Share of the items' parts (fields, objects, words) that are right"),
});

const itemCount = z.int().min(0).max(1e9);

const received = z.strictObject({
  stage: name,
  variants: z.record(name, name).describe("Of the stage and of all before it"),
  items: itemCount,
  right: itemCount.describe("Items that the stage was right on, given the inputs that it got"),
  before: z
    .strictObject({
      bothRight: itemCount,
      rightAfterWrong: itemCount,
      wrongAfterRight: itemCount,
      bothWrong: itemCount,
    })
    .optional()
    .describe("Items by whether the stage, and the first one that it depends on, were right; none: it depends on none"),
  answers: z
    .strictObject({ allStagesRight: itemCount, rightAfterRight: itemCount, rightAfterWrong: itemCount })
    .optional()
    .describe(
      "Of the last stage: items that all stages were right on, and right answers by whether the stage before was right",
    ),
});

const noise = z.strictObject({
  stage: name,
  variant: name,
  cores: positive.optional().describe("Where it is not those of the stage"),
  batch: z.int().min(1).max(1024),
  spread: z.number().min(0).max(1e6).describe("As that of the point"),
});

/** The file that `variscale profile` writes: what was measured of a pipeline, on which machine and when. */
export const measurementsSchema = z.strictObject({
  apiVersion: z.literal("variscale.dev/v1alpha1"),
  kind: z.literal("PipelineMeasurements"),
  machine: z.record(z.string(), z.union([z.string(), z.number()])),
  date: z.iso.datetime(),
  noise: z
    .array(noise)
    .max(100_000)
    .optional()
    .describe("Points that no two windows agree about, written all the same by `--accept-noise`"),
  overhead: z
    .strictObject({ latencyMs: z.number().min(0).max(1e6), cpuMs: z.number().min(0).max(1e6) })
    .optional()
    .describe("The gateway's own work for one request"),
  stages: z.record(name, z.record(name, profileSchema)).describe("Profile by stage and variant"),
  fanOut: z
    .record(
      name,
      z.union([
        z.strictObject({ upstream: name, rowsByVariant: z.record(name, z.number().min(0).max(1e4)) }),
        z.strictObject({ rowsPerRequest: z.number().min(0).max(1e4) }),
      ]),
    )
    .optional()
    .describe(
      "Measured rows of a stage: for each row of its upstream stage, by the upstream's variant; of an entry stage for each request",
    ),
  accuracy: z
    .strictObject({
      stages: z
        .record(name, z.record(name, stageProportion))
        .default({})
        .describe("Accuracy of a variant on right inputs"),
      combinations: z.array(combination).max(100_000).default([]),
      received: z
        .array(received)
        .max(1_000_000)
        .optional()
        .describe("What stages made of the inputs that they really got, for every choice of variants up to each stage"),
    })
    .optional(),
});

/** Measured at the pod's shape of its stage: service time by batch size, load time and memory. */
export type Profile = z.output<typeof profileSchema>;
/** What a Switch to a variant takes. */
export type SwitchTimes = z.output<typeof switchTimes>;
export type Measurements = z.output<typeof measurementsSchema>;
/** What `variscale profile` writes; defaults may be left out. */
export type MeasurementsInput = z.input<typeof measurementsSchema>;
/** Counts of items: how a stage does on what the stages before it made, with which it is right and wrong. */
export type ReceivedCounts = z.output<typeof received>;
/** One batch size of one variant that was too noisy. */
export type Noise = z.output<typeof noise>;
export type MeasuredCombination = z.output<typeof combination>;
