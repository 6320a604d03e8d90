// What the computed tables of docs/report have in common.
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** A module of the build. */
export const dist = path => import(pathToFileURL(join(root, "dist", path)).href);

export const percent = share => `${(100 * share).toFixed(1)} %`;
export const points = share => `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(1)}`;
export const table = (header, lines) =>
  [header, header.map(() => "---"), ...lines].map(cells => `| ${cells.join(" | ")} |`).join("\n");

const tables = await dist("explanation/accuracy-tables.js");
/** How errors of stages hang together, of what was measured of a pipeline. */
export const errorTable = accuracy => textTable(tables.stageErrorTable(accuracy));
/** What is computed from the stages alone, beside what was measured. */
export const predictionTable = (pipeline, received) => textTable(tables.predictionTable(pipeline, received));
const textTable = ({ header, lines }) => table(header, lines);

const { readPipeline } = await dist("runtime/read-pipeline.js");
export const card = readPipeline(join(root, "pipelines/id-card"));
