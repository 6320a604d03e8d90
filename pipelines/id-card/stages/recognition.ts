import { VariscaleError } from "../../../domain/errors.ts";
import type { Row, StageCode } from "../../../gateway/stage.ts";
import type { CardContext } from "../context.ts";
import { STEPS } from "./class-table.ts";
import { type Reading, readClasses } from "./ctc.ts";
import { cropLine, LINE_HEIGHT, LINE_WIDTH } from "./line-crop.ts";

/** Reads the lines of text: one row per region. */
export const recognition: StageCode<CardContext> = {
  rows({ photo, regions }) {
    return regions.map(({ quad }) => ({
      line: { datatype: "UINT8", shape: [LINE_HEIGHT, LINE_WIDTH, 3], data: cropLine(photo, quad) },
    }));
  },
  collect(context, outputs) {
    if (outputs.length !== context.regions.length) {
      throw new VariscaleError(
        "internal",
        `recognition gave ${outputs.length} rows for ${context.regions.length} lines: check the gateway`,
      );
    }
    context.lines = context.regions.map(({ quad }, index) => ({ ...readingOf(outputs[index]), quad }));
  },
};

function readingOf(output: Row | undefined): Reading {
  const classes = output?.["classes"]?.data;
  const confidence = output?.["confidence"]?.data;
  if (!(classes instanceof Uint8Array && confidence instanceof Float32Array && classes.length === STEPS)) {
    throw new VariscaleError(
      "internal",
      `recognition must give \`classes\` UINT8 and \`confidence\` FP32 of ${STEPS} steps: check the stage's contract`,
    );
  }
  return readClasses(classes, confidence);
}
