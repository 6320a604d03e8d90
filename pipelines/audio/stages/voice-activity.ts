import { VariscaleError } from "../../../domain/errors.ts";
import type { Row, StageCode } from "../../../gateway/stage.ts";
import { CLIP_SAMPLES } from "../clip.ts";
import type { ClipContext } from "../context.ts";
import { findSegments, VOICE_STEPS } from "./voice-segments.ts";

/** Finds where something is said: one row per clip. */
export const voiceActivity: StageCode<ClipContext> = {
  rows({ clip }) {
    return [{ samples: { datatype: "FP32", shape: [CLIP_SAMPLES], data: clip } }];
  },
  collect(context, outputs) {
    context.segments = findSegments(curveOf(outputs));
  },
};

function curveOf(outputs: readonly Row[]): Float32Array {
  const curve = outputs[0]?.["voice"]?.data;
  if (!(curve instanceof Float32Array && curve.length === VOICE_STEPS)) {
    throw new VariscaleError(
      "internal",
      `voice activity must give \`voice\` of ${VOICE_STEPS} values FP32: check the stage's contract`,
    );
  }
  return curve;
}
