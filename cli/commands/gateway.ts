import type { Command } from "commander";
import type { LogLevel } from "../../runtime/logger.ts";
import { collect, logLevelOption, parseNumber, parsePort, setOption, speedFactorOption } from "../options.ts";

interface GatewayFlags {
  readonly host: string;
  readonly port: number;
  readonly endpoint: readonly string[];
  readonly drainMs: number;
  readonly logLevel: LogLevel;
  readonly set: readonly string[];
  readonly speedFactor?: number;
}

export function addGateway(program: Command): void {
  program
    .command("gateway <pipeline>")
    .description("run a pipeline over its stages: pre- and post-processing, balancing, deadlines")
    .option("--host <host>", "to listen on", "0.0.0.0")
    .option("--port <port>", "to listen on", parsePort, 8090)
    .option(
      "--endpoint <stage=host:port>",
      "a replica of a stage; with stage=dns:host:port every address of the name is one, followed as it changes; may be repeated",
      collect,
      [],
    )
    .option("--drain-ms <ms>", "from failing /readyz to closing the port", text => parseNumber(text, 0, 600_000), 0)
    .addOption(setOption())
    .addOption(speedFactorOption())
    .addOption(logLevelOption("info"))
    .addHelpText(
      "after",
      "\nExample:\n  variscale gateway pipelines/id-card --endpoint detection=10.0.0.1:8000 --endpoint recognition=10.0.0.2:8000\n  variscale gateway pipelines/id-card --endpoint detection=dns:detection.shop.svc.cluster.local:8000 --endpoint …",
    )
    .action(async (path: string, flags: GatewayFlags) => {
      const { pipelineFileAt, readPipeline } = await import("../../runtime/read-pipeline.ts");
      const { runGateway } = await import("../../gateway/main.ts");
      const { set, speedFactor, endpoint, ...rest } = flags;
      const pipeline = readPipeline(path, { set, ...(speedFactor === undefined ? {} : { speedFactor }) });
      await runGateway({ ...rest, pipeline, file: pipelineFileAt(path), endpoints: endpoint });
    });
}
