import {
  chainFrom,
  floatTensor,
  integer,
  integers,
  integerTensor,
  type ModelEdit,
  onlyName,
  opsetOf,
  resizeScale,
  text,
  valueInfo,
  withGraph,
} from "./graph.ts";
import { ELEMENT, type OnnxTensor } from "./onnx.ts";

/** From this operator set on, Squeeze has its axes as an input; before it, as an attribute. */
const SQUEEZE_TAKES_AXES = 13;

/** A map of probabilities that a stage's contract wants as bytes. */
export interface MapOutput {
  /** Name of the new output. */
  readonly name: string;
  /** Size of the new output: UINT8 [batch, height, width], 255 for certain. */
  readonly height: number;
  readonly width: number;
  /** Size of the map that the model gives; resized in the graph where it differs. */
  readonly model: { readonly height: number; readonly width: number };
}

/** Turns the one output, float [batch, 1, h, w] in 0 to 1, into bytes [batch, height, width]. */
export function giveMapBytes(map: MapOutput): ModelEdit {
  return model => {
    const { nodes, add } = chainFrom(onlyName(model.graph.output, "output"));
    const constants: OnnxTensor[] = [];
    if (map.model.height !== map.height || map.model.width !== map.width) {
      const scales = [1, 1, resizeScale(map.model.height, map.height), resizeScale(map.model.width, map.width)];
      constants.push(floatTensor("map_no_roi", [0], []), floatTensor("map_scales", [4], scales));
      add("Resize", ["map_no_roi", "map_scales"], [text("mode", "linear")], "map_resized");
    }
    constants.push(floatTensor("map_255", [], [255]), floatTensor("map_half", [], [0.5]));
    add("Mul", ["map_255"], [], "map_scaled");
    add("Add", ["map_half"], [], "map_rounding");
    add("Cast", [], [integer("to", ELEMENT.uint8)], "map_bytes");
    if (opsetOf(model) < SQUEEZE_TAKES_AXES) add("Squeeze", [], [integers("axes", [1])], map.name);
    else {
      constants.push(integerTensor("map_axes", [1]));
      add("Squeeze", ["map_axes"], [], map.name);
    }
    return withGraph(model, {
      node: [...model.graph.node, ...nodes],
      initializer: [...(model.graph.initializer ?? []), ...constants],
      output: [valueInfo(map.name, ELEMENT.uint8, [-1, map.height, map.width])],
    });
  };
}
