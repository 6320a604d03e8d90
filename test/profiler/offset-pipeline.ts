import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { affineModel, writeModel } from "../support/models.ts";

/**
 * A pipeline of two stages on models that add an offset to what they double. An item is a number and a tolerance; a stage is right
 * when it is off by no more than that, the second one of twice what it got. `light` of the first stage is off by 1, and makes three rows for the second stage instead of
 * two. Half of the items tolerate 4, or what `TOLERANCE` of the environment says.
 */
const CODE = `
const rowOf = n => ({ x: { datatype: "FP32", shape: [2], data: new Float32Array([n, n]) } });
const isRight = (value, exact, label) => Math.abs(value - exact) <= label.tolerance;
export default {
  decode: body => ({ n: Number(Buffer.from(body).toString()), doubled: null, ends: [] }),
  stages: {
    first: {
      rows: context => [rowOf(context.n)],
      collect: (context, [output]) => { context.doubled = output.y.data[0]; },
    },
    second: {
      rows: ({ n, doubled }) => new Array(doubled === 2 * n ? 2 : 3).fill(rowOf(doubled)),
      collect: (context, outputs) => { context.ends = outputs.map(output => output.y.data[1]); },
    },
  },
  respond: ({ ends }) => ({ ends }),
  evaluation: {
    async *items(count) {
      for (let n = 1; n <= Math.min(count, 60); n++) {
        if (n === Number(process.env.STOP_AT_ITEM)) throw new Error("interrupted");
        const label = { n, tolerance: n % 2 === 0 ? Number(process.env.TOLERANCE ?? 4) : 0 };
        yield { id: "item-" + n, body: Buffer.from(String(n)), contentType: "text/plain", label };
      }
    },
    score: ({ ends }, label) => {
      const right = ends.slice(0, 2).filter(end => isRight(end, 4 * label.n, label)).length;
      return { correct: right === 2 && ends.length <= 3, partsCorrect: right, parts: 2 };
    },
    ideal: (context, label, stage) => { if (stage === "second") context.doubled = 2 * label.n; },
    stageCorrect: (context, label, stage) =>
      stage === "first"
        ? isRight(context.doubled, 2 * label.n, label)
        : isRight(context.ends[0], 2 * context.doubled, label),
  },
};
`;

/** A folder with the pipeline file, its code and its models. */
export function writeOffsetPipeline(): string {
  const folder = mkdtempSync(join(tmpdir(), "variscale-profile-"));
  const variant = (name: string, offset: number) => {
    const { model, sha256 } = writeModel(folder, name, affineModel(2, offset));
    return `{ name: ${name.split("-")[1]}, model: ${model}, sha256: "${sha256}" }`;
  };
  const stage = (name: string, variants: readonly string[]) => `
    - name: ${name}
      contract:
        inputs: [{ name: x, datatype: FP32, shape: [-1, 2] }]
        outputs: [{ name: y, datatype: FP32, shape: [-1, 2] }]
      defaultVariant: light
      variants: [${variants.join(", ")}]`;
  writeFileSync(
    join(folder, "pipeline.yaml"),
    `apiVersion: variscale.dev/v1alpha1
kind: InferencePipeline
metadata: { name: offsets }
spec:
  slo: { latencyMs: 1000 }
  code: ./code.mjs
  measurements: measurements.json
  stages:${stage("first", [variant("first-light", 1), variant("first-heavy", 0)])}${stage("second", [variant("second-light", 3), variant("second-heavy", 0)])}
`,
  );
  writeFileSync(join(folder, "code.mjs"), CODE);
  return folder;
}
