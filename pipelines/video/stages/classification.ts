import { VariscaleError } from "../../../domain/errors.ts";
import type { Row, StageCode } from "../../../gateway/stage.ts";
import type { Classification, FrameContext } from "../context.ts";
import { CLASSES } from "../frame.ts";
import { CROP_SIDE, cropObject } from "./object-crop.ts";

/** Says what the objects are: one row per region. */
export const classification: StageCode<FrameContext> = {
  rows({ frame, regions }) {
    return regions.map(({ box }) => ({
      crop: { datatype: "UINT8", shape: [CROP_SIDE, CROP_SIDE], data: cropObject(frame, box) },
    }));
  },
  collect(context, outputs) {
    if (outputs.length !== context.regions.length) {
      throw new VariscaleError(
        "internal",
        `classification gave ${outputs.length} rows for ${context.regions.length} objects: check the gateway`,
      );
    }
    context.classified = outputs.map(classOf);
  },
};

/** The likeliest class; the first of those that are equally likely. */
function classOf(output: Row): Classification {
  const probabilities = output["probabilities"]?.data;
  if (!(probabilities instanceof Float32Array && probabilities.length === CLASSES.length)) {
    throw new VariscaleError(
      "internal",
      `classification must give \`probabilities\` of ${CLASSES.length} classes FP32: check the stage's contract`,
    );
  }
  let best = 0;
  for (let index = 1; index < CLASSES.length; index++)
    if ((probabilities[index] ?? 0) > (probabilities[best] ?? 0)) best = index;
  const confidence = probabilities[best] ?? 0;
  return { class: CLASSES[best] ?? CLASSES[0], confidence: Number.isFinite(confidence) ? confidence : 0 };
}
