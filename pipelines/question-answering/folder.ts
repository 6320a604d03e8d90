import { fileURLToPath } from "node:url";

/** The folder of the package that holds this pipeline's data and models; code runs from its twin below `dist`. */
export const PIPELINE_FOLDER = fileURLToPath(new URL("../../../pipelines/question-answering", import.meta.url));
