import { type InferenceSession, Tensor } from "onnxruntime-node";
import type { Row } from "../../gateway/stage.ts";

/** Tensors of the same shape one after the other. */
function joined(parts: readonly Row[string][], shape: readonly number[]): Tensor {
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  const isBytes = parts[0]?.datatype === "UINT8";
  const data = isBytes ? new Uint8Array(size) : new Float32Array(size);
  for (const [index, part] of parts.entries())
    data.set(part.data as Uint8Array | Float32Array, (index * size) / parts.length);
  return data instanceof Uint8Array ? new Tensor("uint8", data, shape) : new Tensor("float32", data, shape);
}

/** Runs rows of one UINT8 or FP32 input one batch after another, as a switcher would. */
export async function runRows(session: InferenceSession, rows: readonly Row[], batch: number): Promise<Row[]> {
  const outputs: Row[] = [];
  const name = session.inputNames[0] ?? "";
  for (let at = 0; at < rows.length; at += batch) {
    const part = rows.slice(at, at + batch).flatMap(row => row[name] ?? []);
    const shape = [part.length, ...(part[0]?.shape ?? [])];
    const result = await session.run({ [name]: joined(part, shape) });
    for (let index = 0; index < part.length; index++) {
      const row: Record<string, Row[string]> = {};
      for (const [output, { type, dims, data: all }] of Object.entries(result)) {
        const size = all.length / part.length;
        const datatype = type === "uint8" ? "UINT8" : "FP32";
        const piece = (all as Uint8Array | Float32Array).slice(index * size, (index + 1) * size);
        row[output] = { datatype, shape: dims.slice(1), data: piece };
      }
      outputs.push(row);
    }
  }
  return outputs;
}
