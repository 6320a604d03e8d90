import { type InferenceSession, Tensor } from "onnxruntime-node";
import type { Row } from "../../gateway/stage.ts";

/** Runs rows of one UINT8 input one batch after another, as a switcher would. */
export async function runRows(session: InferenceSession, rows: readonly Row[], batch: number): Promise<Row[]> {
  const outputs: Row[] = [];
  const name = session.inputNames[0] ?? "";
  for (let at = 0; at < rows.length; at += batch) {
    const part = rows.slice(at, at + batch).map(row => row[name]);
    const shape = [part.length, ...(part[0]?.shape ?? [])];
    const data = Uint8Array.from(Buffer.concat(part.map(tensor => tensor?.data as Uint8Array)));
    const result = await session.run({ [name]: new Tensor("uint8", data, shape) });
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
