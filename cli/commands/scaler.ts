import type { Command } from "commander";
import { VariscaleError } from "../../domain/errors.ts";
import type { LogLevel } from "../../runtime/logger.ts";
import { defaultStateFolder } from "../folders.ts";
import { collect, logLevelOption, parsePort, setOption } from "../options.ts";

interface ScalerFlags {
  readonly host: string;
  readonly kedaPort: number;
  readonly switcherPort: number;
  readonly httpPort: number;
  readonly loadSource: readonly string[];
  readonly stateDir: string;
  readonly logLevel: LogLevel;
  readonly set: readonly string[];
}

export function addScaler(program: Command): void {
  program
    .command("scaler <pipelines...>")
    .description("run the control plane: KEDA external scaler, control loop, assignment stream, HTTP API")
    .option("--host <host>", "to listen on", "0.0.0.0")
    .option("--keda-port <port>", "gRPC for KEDA", parsePort, 6000)
    .option("--switcher-port <port>", "gRPC for switchers", parsePort, 6001)
    .option("--http-port <port>", "HTTP API, metrics and health", parsePort, 8080)
    .option(
      "--load-source <name=url>",
      "where load is read: a gateway's address under the name that pipeline files use; may be repeated",
      collect,
      ["gateway=http://127.0.0.1:8090"],
    )
    .option("--state-dir <folder>", "keeps plans, pins and history", defaultStateFolder(process.env))
    .addOption(setOption())
    .addOption(logLevelOption("info"))
    .addHelpText(
      "after",
      "\nExample:\n  variscale scaler pipelines/id-card --load-source gateway=http://gateway:8090\n\nEnvironment:\n  VARISCALE_TOKEN  what changes over HTTP must carry as a bearer token; without it they are taken from this machine alone",
    )
    .action(async (paths: string[], flags: ScalerFlags) => {
      const { keepHeapSmall } = await import("../../runtime/small-heap.ts");
      keepHeapSmall();
      const { readPipeline } = await import("../../runtime/read-pipeline.ts");
      const { createLogger } = await import("../../runtime/logger.ts");
      const { shutdownOnSignal } = await import("../../runtime/shutdown.ts");
      const { startScaler } = await import("../../scaler/main.ts");
      const logger = createLogger("scaler", flags.logLevel);
      const scaler = await startScaler({
        pipelines: paths.map(path => readPipeline(path, { set: flags.set })),
        loadSources: Object.fromEntries(flags.loadSource.map(parseLoadSource)),
        host: flags.host,
        ports: { keda: flags.kedaPort, switchers: flags.switcherPort, http: flags.httpPort },
        stateDir: flags.stateDir,
        machineCores: null,
        token: process.env["VARISCALE_TOKEN"] ?? null,
        logger,
      });
      shutdownOnSignal([{ name: "scaler", timeoutMs: 10_000, run: () => scaler.close() }], logger);
    });
}

function parseLoadSource(pair: string): [string, { kind: "gateway"; url: string }] {
  const at = pair.indexOf("=");
  const url = pair.slice(at + 1);
  if (at < 1 || !URL.canParse(url))
    throw new VariscaleError(
      "invalid_argument",
      `--load-source ${pair}: must be name=url, as in gateway=http://gateway:8090`,
    );
  return [pair.slice(0, at), { kind: "gateway", url }];
}
