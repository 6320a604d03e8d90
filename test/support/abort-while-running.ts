/**
 * A program: closes sessions in the middle of native code again and again, with a watchdog that takes every other one for hung, and prints
 * `survived` when it is still there.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isRefused } from "../../variant-switcher/driver.ts";
import { openOnnx } from "../../variant-switcher/session.ts";
import { IMAGE_CONTRACT, imageModel, writeModel } from "./models.ts";

const folder = mkdtempSync(join(tmpdir(), "variscale-abort-"));
const unknown = { driver: "onnx", url: null, loadMs: null, memoryMiB: null, points: [] } as const;
const variant = { ...writeModel(folder, "slow", imageModel(400, 0)), ...unknown };
for (let i = 0; i < 12; i++) {
  const session = await openOnnx(
    { variant, contract: IMAGE_CONTRACT, modelFolder: folder, threads: 1, ...(i % 2 === 1 && { minWatchdogMs: 1 }) },
    new AbortController().signal,
  );
  if (!isRefused(session)) {
    const data = new ArrayBuffer(8 * 240 * 192);
    const running = session.run(
      [{ name: "image", datatype: "UINT8", shape: [8, 240, 192], data, bytes: data.byteLength }],
      ["score"],
      0,
    );
    await new Promise(resolve => setTimeout(resolve, 10 + 5 * i));
    await Promise.all([session.close(), running]);
  }
}
rmSync(folder, { recursive: true, force: true });
process.stdout.write("survived");
