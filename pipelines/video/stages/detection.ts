import { VariscaleError } from "../../../domain/errors.ts";
import type { Row, StageCode } from "../../../gateway/stage.ts";
import type { FrameContext } from "../context.ts";
import { findObjects, MAP_HEIGHT, MAP_WIDTH, type ObjectMap } from "./object-map.ts";

/** Finds the objects: one row per frame. */
export const detection: StageCode<FrameContext> = {
  rows({ frame }) {
    return [{ frame: { datatype: "UINT8", shape: [frame.height, frame.width], data: frame.data } }];
  },
  collect(context, outputs) {
    context.regions = findObjects(mapOf(outputs));
  },
};

function mapOf(outputs: readonly Row[]): ObjectMap {
  const heat = outputs[0]?.["heat"]?.data;
  const edges = outputs[0]?.["edges"]?.data;
  const cells = MAP_WIDTH * MAP_HEIGHT;
  const isMap =
    heat instanceof Float32Array &&
    heat.length === cells &&
    edges instanceof Float32Array &&
    edges.length === 4 * cells;
  if (!isMap) {
    throw new VariscaleError(
      "internal",
      `detection must give \`heat\` of ${MAP_HEIGHT} × ${MAP_WIDTH} and \`edges\` of 4 × ${MAP_HEIGHT} × ${MAP_WIDTH} FP32: check the stage's contract`,
    );
  }
  return { heat, edges };
}
