import { parentPort, workerData } from "node:worker_threads";
import { pastOf } from "../../cli/simulate/past.ts";
import type { LoadTrace } from "../../load/load-trace.ts";
import { OWN_MODEL } from "../../predictor/training/own-model-settings.ts";

/** What a scaler with a network of its own knows of the load that it is given. */
parentPort?.postMessage(await pastOf(workerData as LoadTrace, OWN_MODEL));
