import { ownModel } from "../../models/own-model.ts";
import type { ModelRecipe } from "../../models/prepare.ts";
import { PIPELINE_FOLDER } from "./folder.ts";

const own = (file: string, sha256: string): ModelRecipe => ownModel(PIPELINE_FOLDER, file, sha256);

/** How the model files of this pipeline are made. */
export const recipes: readonly ModelRecipe[] = [
  own("retrieval-nano.onnx", "ffa5e17bcff0666e9aa29ab07473361c974d9a4c95e67814f34e13ef9f97e4f4"),
  own("retrieval-small.onnx", "e09acb8e469c5d6244b11c2f6ead88f09728ec654addd27ad2a22389ac6b7274"),
  own("retrieval-medium.onnx", "415177ac1b7b958c39032d2e78a22edf0e51a2681513f7ddbe01524b2f47ac83"),
  own("reading-nano.onnx", "732bbfedac71e4bc071c65ca51d2129571f06f126852368fd5e877b98f7e804a"),
  own("reading-small.onnx", "edd90b52544256fbbcc035dd492f0879dc60734f7b04dcee5513fe588b614541"),
  own("reading-medium.onnx", "25ac110ea71d7aa2a62a1ad2df049fec2bb6777e4d7e36601f69cc592439ecf7"),
  own("reading-large.onnx", "e54ddf5c9635cbd528093387bbd7210eaf2c6b74e30de0afaddcd23df90a72d3"),
];
