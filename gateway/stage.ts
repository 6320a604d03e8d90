import type { Tensor } from "../domain/tensor.ts";

export { classVote } from "./class-vote.ts";

/** One row of a stage's input or output by tensor name; the batch dimension is left out of every shape. */
export type Row = Readonly<Record<string, Tensor>>;

/** What one variant says of a row. */
export interface Vote {
  readonly variant: string;
  /** ln(a / (1 − a)), a the variant's measured accuracy; above 0. */
  readonly weight: number;
  readonly output: Row;
}

/**
 * What a pipeline does around the models of one stage: it makes rows of tensors out of a request's context and takes the
 * models' outputs back into it. The gateway batches, balances, retries and joins; this code never sees a replica.
 */
export interface StageCode<Context> {
  /** The rows of this request, in order. None: the stage has nothing to do for this request. */
  rows(context: Context): readonly Row[] | Promise<readonly Row[]>;
  /** Takes one output per row, in the order of `rows`. */
  collect(context: Context, outputs: readonly Row[]): void | Promise<void>;
  /**
   * Joins what two or more variants say of one row into one output that keeps the stage's contract: `classVote` for class probabilities.
   * Where one variant alone has answered, its output is taken as it is. Missing: the variants of this stage can't vote.
   */
  vote?(votes: readonly Vote[]): Row;
}

/**
 * What must hold between requests that follow each other, as the frames of a camera. A request says so by the headers `x-sequence-id` and
 * `x-sequence-number`, a whole number that is one higher with each.
 */
export interface SequenceAssertions<Context = unknown, Memory = unknown> {
  /**
   * What those after it need to know of a request, once all stages have been collected: a JSON value of 4096 characters at most. It is kept of
   * the last two requests of each of the 1000 sequences that were heard of last.
   */
  remember(context: Context): Memory;
  /**
   * As `PipelineCode.assertions`, with what was kept of the requests right before it, the newest first: one or two. A request whose predecessor is
   * not known is not held against them.
   */
  readonly assertions: Readonly<Record<string, (context: Context, before: readonly Memory[]) => boolean>>;
}

/**
 * A pipeline's own code, the default export of the module that the pipeline file names in `code`.
 * A stage runs as soon as those that it depends on have been collected, at the same time as others that do not wait for it; `stages`
 * has one entry per stage under its name.
 */
export interface PipelineCode<Context = unknown, Label = unknown, Memory = unknown> {
  /**
   * Turns a request into the context that goes through the stages. Throws an error with `code: "invalid_argument"` for a body that it
   * can't read: its message is the answer, with status 400.
   */
  decode(body: Uint8Array, contentType: string): Context | Promise<Context>;
  readonly stages: Readonly<Record<string, StageCode<Context>>>;
  /** The JSON value of the response. */
  respond(context: Context): unknown;
  /**
   * What must hold of a right answer, by name, once all stages have been collected: model assertions (Kang et al., MLSys 2020).
   * They need no labels. What breaks one goes out all the same, and is counted in `variscale_gateway_assertion_failures_total`.
   */
  readonly assertions?: Readonly<Record<string, (context: Context) => boolean>>;
  /** The same between requests of a sequence; a gateway knows those that came to itself. */
  readonly sequences?: SequenceAssertions<Context, Memory>;
  /**
   * Numbers that tell without a label how likely the answer is right, by name, once all stages have been collected: confidences as
   * log-odds, counts. `variscale drift` learns what they are worth.
   */
  readonly signals?: (context: Context) => Readonly<Record<string, number>>;
  /** How to measure this pipeline's accuracy; without it only latency can be profiled. */
  readonly evaluation?: Evaluation<Context, Label>;
}

/** Plain data: items are measured in processes of their own. */
export interface LabelledItem<Label = unknown> {
  readonly id: string;
  readonly body: Uint8Array;
  readonly contentType: string;
  readonly label: Label;
}

export interface Score {
  /** The item is right as a whole: what pipeline accuracy counts. */
  readonly correct: boolean;
  /** How many of its parts (fields, objects, words) are right, and of how many. */
  readonly partsCorrect: number;
  readonly parts: number;
}

export interface Evaluation<Context = unknown, Label = unknown> {
  /** The first `count` labelled items in a fixed order; fewer where there are not as many. */
  items(count: number): AsyncIterable<LabelledItem<Label>>;
  /** The same of items that have drifted from those, by the name of the drift. */
  readonly drifts?: Readonly<Record<string, (count: number) => AsyncIterable<LabelledItem<Label>>>>;
  /**
   * Names of those `signals` that say how sure a stage is: what ATC estimates accuracy from, by the least of them. Without it there is
   * no such estimate to compare with.
   */
  readonly confidences?: readonly string[];
  /** Items in sequences, each in its order: what `PipelineCode.sequences` is for. */
  sequences?(count: number): AsyncIterable<readonly LabelledItem<Label>[]>;
  /** Judges the parsed JSON response of an item. */
  score(response: unknown, label: Label): Score;
  /** Puts into the context what the stages before `stage` would have found had they been right. */
  ideal(context: Context, label: Label, stage: string): void;
  /** Whether `stage`, just collected, is right given the input it got. */
  stageCorrect(context: Context, label: Label, stage: string): boolean;
}

/** Gives a pipeline's code its types; returns it as it is. */
export function definePipeline<Context, Label, Memory = unknown>(
  code: PipelineCode<Context, Label, Memory>,
): PipelineCode<Context, Label, Memory> {
  return code;
}
