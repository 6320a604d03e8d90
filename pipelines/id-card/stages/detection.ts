import { VariscaleError } from "../../../domain/errors.ts";
import type { Row, StageCode } from "../../../gateway/stage.ts";
import type { CardContext } from "../context.ts";
import { joinRegions } from "./join-regions.ts";
import { findTextRegions, MAP_HEIGHT, MAP_WIDTH, type TextRegion } from "./text-map.ts";

/** A card holds about eleven lines; more than this is clutter, and every line costs a row of recognition. */
const MAX_REGIONS = 24;

/** Finds the lines of text: one row per photo. */
export const detection: StageCode<CardContext> = {
  rows({ photo }) {
    return [{ image: { datatype: "UINT8", shape: [photo.height, photo.width, 3], data: photo.data } }];
  },
  collect(context, outputs) {
    context.regions = clearest(joinRegions(findTextRegions(mapOf(outputs))));
  },
};

/** The surest regions, from top to bottom and left to right. */
function clearest(regions: readonly TextRegion[]): readonly TextRegion[] {
  return [...regions]
    .sort((a, b) => b.score - a.score)
    .slice(0, MAX_REGIONS)
    .sort((a, b) => a.quad[1] - b.quad[1] || a.quad[0] - b.quad[0]);
}

function mapOf(outputs: readonly Row[]): Uint8Array {
  const map = outputs[0]?.["map"]?.data;
  if (!(map instanceof Uint8Array) || map.length !== MAP_WIDTH * MAP_HEIGHT) {
    throw new VariscaleError(
      "internal",
      `detection must give one \`map\` of ${MAP_HEIGHT} × ${MAP_WIDTH} UINT8: check the stage's contract`,
    );
  }
  return map;
}
