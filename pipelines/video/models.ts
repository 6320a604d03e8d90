import { ownModel } from "../../models/own-model.ts";
import type { ModelRecipe } from "../../models/prepare.ts";
import { PIPELINE_FOLDER } from "./folder.ts";

const own = (file: string, sha256: string): ModelRecipe => ownModel(PIPELINE_FOLDER, file, sha256);

/** How the model files of this pipeline are made. */
export const recipes: readonly ModelRecipe[] = [
  own("detection-nano.onnx", "535878e75ebc67861e2481374a8660809ac76d2a0ba8149b9180bfd95b11824b"),
  own("detection-small.onnx", "0e5c8dfc780588a481d00b5614fafcb2c67eb2abb122788594718651cd307b01"),
  own("detection-medium.onnx", "903277b27f7d9c8381005751bb8581b09fbe54941f24ee785b83664c72ca63bd"),
  own("detection-large.onnx", "0392fe53993833908571259722fefa4b29308c41e225275ec3559cc981c526c1"),
  own("classification-nano.onnx", "8ae1109e8bec0a5e42dab645d846db651166aa8d019700c69cd5f5e6689652fd"),
  own("classification-small.onnx", "06b68634c28d6c3b5f4f18e0365c8f991efb6c159c9fe8941d30a2bd55dd9cec"),
  own("classification-medium.onnx", "e9aa5ddbcdcda4f3ed3d3dae14432923f5878eab163d65de183e22fce4af35b9"),
];
