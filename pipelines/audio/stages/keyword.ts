import { VariscaleError } from "../../../domain/errors.ts";
import { classVote, type Row, type StageCode } from "../../../gateway/stage.ts";
import type { ClipContext, Recognition } from "../context.ts";
import { CLASS_COUNT, WORDS } from "../vocabulary.ts";
import { cutWindow, MARGINS, WINDOW_SAMPLES } from "./keyword-window.ts";

/** Says which words were said: two rows per segment, its windows. */
export const keyword: StageCode<ClipContext> = {
  rows({ clip, segments }) {
    return segments.flatMap(segment =>
      MARGINS.map(margin => ({
        window: { datatype: "FP32" as const, shape: [WINDOW_SAMPLES], data: cutWindow(clip, segment, margin) },
      })),
    );
  },
  collect(context, outputs) {
    const count = context.segments.length;
    if (outputs.length !== count * MARGINS.length) {
      throw new VariscaleError(
        "internal",
        `keyword gave ${outputs.length} rows for ${count} segments of ${MARGINS.length} windows: check the gateway`,
      );
    }
    context.recognised = context.segments.map((_, index) =>
      recognise(outputs.slice(index * MARGINS.length, (index + 1) * MARGINS.length).map(probabilitiesOf)),
    );
  },
  vote: classVote("probabilities"),
};

/** The class that is likeliest in the mean of the windows; the first of those that are equally likely. */
function recognise(windows: readonly Float32Array[]): Recognition {
  const mean = new Float32Array(CLASS_COUNT);
  for (const window of windows)
    for (const [index, probability] of window.entries())
      mean[index] = (mean[index] ?? 0) + probability / windows.length;
  const best = likeliest(mean);
  const confidence = mean[best] ?? 0;
  return {
    word: WORDS[best] ?? null,
    confidence: Number.isFinite(confidence) ? confidence : 0,
    agreed: windows.every(window => likeliest(window) === best),
  };
}

function likeliest(probabilities: Float32Array): number {
  let best = 0;
  for (let index = 1; index < probabilities.length; index++)
    if ((probabilities[index] ?? 0) > (probabilities[best] ?? 0)) best = index;
  return best;
}

function probabilitiesOf(output: Row): Float32Array {
  const probabilities = output["probabilities"]?.data;
  if (!(probabilities instanceof Float32Array && probabilities.length === CLASS_COUNT)) {
    throw new VariscaleError(
      "internal",
      `keyword must give \`probabilities\` of ${CLASS_COUNT} classes FP32: check the stage's contract`,
    );
  }
  return probabilities;
}
