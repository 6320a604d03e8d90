import {
  chainFrom,
  floatTensor,
  integer,
  integers,
  integerTensor,
  type ModelEdit,
  onlyName,
  resizeScale,
  text,
  valueInfo,
  withGraph,
} from "./graph.ts";
import { ELEMENT, type OnnxTensor } from "./onnx.ts";

/** How a model wants the picture that the stage's contract gives as bytes. */
export interface ImageInput {
  /** Name of the new input. */
  readonly name: string;
  /** Pixels of the new input: UINT8 [batch, height, width, 3], red first. */
  readonly height: number;
  readonly width: number;
  /** Pixels that the model itself works on; the picture is resized in the graph where they differ. */
  readonly model: { readonly height: number; readonly width: number };
  /** Order of the model's channels. */
  readonly channels: "rgb" | "bgr";
  /** Per channel of the model, in its order: x ↦ (x / 255 − mean) / deviation. */
  readonly mean: readonly [number, number, number];
  readonly deviation: readonly [number, number, number];
}

/** Gives a model of float planes an input of interleaved bytes: resize, channel order and normalisation move into the graph. */
export function takeImageBytes(image: ImageInput): ModelEdit {
  return model => {
    const planes = onlyName(model.graph.input, "input");
    const { nodes, add } = chainFrom(image.name);
    const constants: OnnxTensor[] = [];
    if (image.model.height !== image.height || image.model.width !== image.width) {
      const scales = [1, resizeScale(image.height, image.model.height), resizeScale(image.width, image.model.width), 1];
      constants.push(floatTensor("image_no_roi", [0], []), floatTensor("image_scales", [4], scales));
      add("Resize", ["image_no_roi", "image_scales"], [text("mode", "linear")], "image_resized");
    }
    if (image.channels === "bgr") {
      constants.push(integerTensor("image_channels", [2, 1, 0]));
      add("Gather", ["image_channels"], [integer("axis", 3)], "image_reordered");
    }
    add("Cast", [], [integer("to", ELEMENT.float)], "image_float");
    constants.push(
      floatTensor(
        "image_mean",
        [3],
        image.mean.map(mean => 255 * mean),
      ),
    );
    constants.push(
      floatTensor(
        "image_factor",
        [3],
        image.deviation.map(deviation => 1 / (255 * deviation)),
      ),
    );
    add("Sub", ["image_mean"], [], "image_centred");
    add("Mul", ["image_factor"], [], "image_normal");
    add("Transpose", [], [integers("perm", [0, 3, 1, 2])], planes);
    return withGraph(model, {
      node: [...nodes, ...model.graph.node],
      initializer: [...(model.graph.initializer ?? []), ...constants],
      input: [valueInfo(image.name, ELEMENT.uint8, [-1, image.height, image.width, 3])],
    });
  };
}
