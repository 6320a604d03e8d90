import { definePipeline } from "../../gateway/stage.ts";
import { assertions } from "./assertions.ts";
import type { CardLabel } from "./card.ts";
import type { CardContext } from "./context.ts";
import { decodePhoto } from "./decode.ts";
import { evaluation } from "./evaluation.ts";
import { signals } from "./signals.ts";
import { detection } from "./stages/detection.ts";
import { assembleFields } from "./stages/field-assembly.ts";
import { recognition } from "./stages/recognition.ts";

/** How `variscale models prepare` makes this pipeline's model files. */
export { recipes as modelRecipes } from "./models.ts";

/** Reads the fields of an identity card: detection of text lines, recognition of each line, assembly of fields. */
export default definePipeline<CardContext, CardLabel>({
  async decode(body, contentType) {
    return { photo: await decodePhoto(body, contentType), regions: [], lines: [] };
  },
  stages: { detection, recognition },
  respond({ lines }) {
    const rounded = (value: number): number => Math.round(value * 1000) / 1000;
    return {
      fields: assembleFields(lines),
      lines: lines.map(({ text, confidence, quad }) => ({
        text,
        confidence: rounded(confidence),
        quad: quad.map(Math.round),
      })),
    };
  },
  assertions,
  signals,
  evaluation,
});
