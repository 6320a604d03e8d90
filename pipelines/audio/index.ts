import { definePipeline } from "../../gateway/stage.ts";
import { assertions } from "./assertions.ts";
import type { ClipLabel } from "./clip.ts";
import { type ClipContext, wordsOf } from "./context.ts";
import { decodeClip } from "./decode.ts";
import { evaluation } from "./evaluation.ts";
import { signals } from "./signals.ts";
import { keyword } from "./stages/keyword.ts";
import { voiceActivity } from "./stages/voice-activity.ts";
import { isCommand } from "./vocabulary.ts";

/** How `variscale models prepare` makes this pipeline's model files. */
export { recipes as modelRecipes } from "./models.ts";

/** Says which command was spoken: where there is voice, and which word each stretch of it is. */
export default definePipeline<ClipContext, ClipLabel>({
  decode(body, contentType) {
    return { clip: decodeClip(body, contentType), segments: [], recognised: [] };
  },
  stages: { "voice-activity": voiceActivity, keyword },
  respond(context) {
    const rounded = (value: number): number => Math.round(value * 1000) / 1000;
    const words = wordsOf(context);
    const names = words.map(({ word }) => word);
    return {
      command: isCommand(names) ? names.join(" ") : null,
      words: words.map(({ word, confidence, start, end }) => ({
        word,
        confidence: rounded(confidence),
        start: rounded(start),
        end: rounded(end),
      })),
    };
  },
  assertions,
  signals,
  evaluation,
});
