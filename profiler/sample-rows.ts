import type { Stage } from "../domain/pipeline.ts";
import type { Tensor } from "../domain/tensor.ts";
import { checkRows } from "../gateway/infer-codec.ts";
import type { PipelineCode, Row, StageCode } from "../gateway/stage.ts";
import { bytesPerElement, elementCount, elementsOf } from "../runtime/tensor-data.ts";
import { idealContext } from "./measure-item.ts";

/** Rows that a variant is measured with, in turn: as many as the largest batch. */
const SAMPLE_ROWS = 16;
/** Items that are looked at for them. */
const MOST_ITEMS = 64;

/** Rows as they really come: from evaluation items, where the stages before were right. Random data where there are none. */
export async function sampleRows(stage: Stage, code: PipelineCode): Promise<readonly Row[]> {
  const { evaluation } = code;
  if (!evaluation) return randomRows(stage);
  const stageCode = code.stages[stage.name] as StageCode<unknown>;
  const rows: Row[] = [];
  for await (const item of evaluation.items(MOST_ITEMS)) {
    const some = await stageCode.rows(await idealContext({ code, evaluation }, item, stage.name));
    checkRows(stage.name, stage.contract, some);
    rows.push(...some);
    if (rows.length >= SAMPLE_ROWS) break;
  }
  return rows.length > 0 ? rows.slice(0, SAMPLE_ROWS) : randomRows(stage);
}

/** The same ones every time; a dimension that is not fixed is 1. Bytes and floating-point numbers are random, others 0. */
function randomRows(stage: Stage): Row[] {
  let state = 1;
  const next = (): number => {
    // Minimal standard generator (Park and Miller 1988).
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  return Array.from({ length: SAMPLE_ROWS }, () => {
    const tensors = stage.contract.inputs.map(({ name, datatype, shape }): [string, Tensor] => {
      const dimensions = shape.slice(1).map(dimension => Math.max(1, dimension));
      const data = elementsOf(datatype, new Uint8Array(elementCount(dimensions) * bytesPerElement(datatype)));
      if (datatype === "UINT8") for (let i = 0; i < data.length; i++) data[i] = Math.floor(next() * 256);
      else if (data instanceof Float32Array || data instanceof Float64Array)
        for (let i = 0; i < data.length; i++) data[i] = next();
      return [name, { datatype, shape: dimensions, data }];
    });
    return Object.fromEntries(tensors);
  });
}
