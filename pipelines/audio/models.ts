import { ownModel } from "../../models/own-model.ts";
import type { ModelRecipe } from "../../models/prepare.ts";
import { PIPELINE_FOLDER } from "./folder.ts";

const own = (file: string, sha256: string): ModelRecipe => ownModel(PIPELINE_FOLDER, file, sha256);

/** How the model files of this pipeline are made. */
export const recipes: readonly ModelRecipe[] = [
  own("voice-activity-nano.onnx", "dcd93d870a17bb3719168670a026bba2a5510cde71641541e27e74d389e177a2"),
  own("voice-activity-small.onnx", "748df48df53d71657c554914f6630c99644e04c576bf779a0dc0130c54072417"),
  own("voice-activity-medium.onnx", "d45e873eae366c33c5a24bf5cef7f7944866944398dbf78654d1ba4979562206"),
  own("keyword-nano.onnx", "2907748fe8ab244e6b34bb8a6f7b9f331e7b347c2c7b99ba9a9dfcee1205c22f"),
  own("keyword-small.onnx", "516116a2d39afebf383f382704d4ccdd2ae43a37fb0e43e592c7e259e53a7521"),
  own("keyword-medium.onnx", "1c970845473c421376b38a5bbe0147f696adb262eac53813157999fef5fd197e"),
  own("keyword-large.onnx", "554eb4a5bb66b5f1ecaddfa26ad4a010f5fe9fa4475d70a4cc5b8eceb9019329"),
];
