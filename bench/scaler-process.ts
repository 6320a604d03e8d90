// The scaler that scaler.bench.ts measures, in a process of its own. Arguments: number of pipelines, URL of the gateway, state folder.
import { createLogger } from "../runtime/logger.ts";
import { startScaler } from "../scaler/main.ts";
import { memoryMessage } from "./memory-message.ts";
import { generatedPipeline } from "./scaler-pipelines.ts";

const [count = "1", url = "", stateDir = ""] = process.argv.slice(2);

const scaler = await startScaler({
  pipelines: Array.from({ length: Number(count) }, (_, i) => generatedPipeline(i)),
  loadSources: { gateway: { kind: "gateway", url } },
  host: "127.0.0.1",
  ports: { keda: 0, switchers: 0, http: 0 },
  stateDir,
  training: { share: 0.1 },
  machineCores: null,
  logger: createLogger("scaler", "warn"),
});
process.on("message", (message: { readonly kind: "memory" | "close" }) => {
  if (message.kind === "memory") process.send?.(memoryMessage());
  if (message.kind === "close") {
    scaler.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  }
});
process.on("disconnect", () => process.exit(1));
process.send?.({ kind: "started", ports: scaler.ports });
