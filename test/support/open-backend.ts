import { type Backend, type BackendName, openBackend } from "../../predictor/network/backend.ts";
import type { ForecastModel } from "../../predictor/network/network-model.ts";
import { OpenModel } from "../../predictor/network/open-model.ts";
import { readBundledModel } from "../../scaler/forecasting/bundled-model.ts";

/**
 * Opens a backend in the thread of the tests. The WebAssembly one makes its process throw again whatever nothing caught, which would
 * end a test run at the first failure that comes late.
 */
export async function openTestBackend(name: BackendName = testBackend()): Promise<Backend> {
  const events = ["uncaughtException", "unhandledRejection"] as const;
  const before = events.map(event => process.listeners(event as "uncaughtException"));
  const backend = await openBackend([name]);
  for (const [i, event] of events.entries())
    for (const listener of process.listeners(event as "uncaughtException"))
      if (!before[i]?.includes(listener)) process.off(event, listener);
  return backend;
}

/** `npm run test:tfjs-node` asks for the native one. */
export function testBackend(): BackendName {
  return process.env["VARISCALE_TEST_BACKEND"] === "tensorflow" ? "tensorflow" : "wasm";
}

/** Opens a model there; default: the bundled one. */
export async function openTestModel(model: ForecastModel = readBundledModel()): Promise<OpenModel> {
  return new OpenModel(await openTestBackend(), model);
}
