import { definePipeline } from "../../gateway/stage.ts";
import { assertions } from "./assertions.ts";
import { inWholePixels } from "./box.ts";
import type { FrameContext } from "./context.ts";
import { decodeFrame } from "./decode.ts";
import { evaluation } from "./evaluation.ts";
import type { FrameLabel } from "./frame.ts";
import { type KeptObject, sequences } from "./sequences.ts";
import { signals } from "./signals.ts";
import { classification } from "./stages/classification.ts";
import { detection } from "./stages/detection.ts";

/** How `variscale models prepare` makes this pipeline's model files. */
export { recipes as modelRecipes } from "./models.ts";

/** Says what moves in a frame of a street: detection of objects, classification of each. */
export default definePipeline<FrameContext, FrameLabel, readonly KeptObject[]>({
  async decode(body, contentType) {
    return { frame: await decodeFrame(body, contentType), regions: [], classified: [] };
  },
  stages: { detection, classification },
  respond({ regions, classified }) {
    const rounded = (value: number): number => Math.round(value * 1000) / 1000;
    return {
      objects: regions.map(({ box, score }, index) => {
        const { class: name = null, confidence = 0 } = classified[index] ?? {};
        return { class: name, confidence: rounded(confidence), box: inWholePixels(box), score: rounded(score) };
      }),
    };
  },
  assertions,
  sequences,
  signals,
  evaluation,
});
