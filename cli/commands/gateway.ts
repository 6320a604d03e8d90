import type { Command } from "commander";
import type { LogLevel } from "../../runtime/logger.ts";
import {
  collect,
  logLevelOption,
  parseNumber,
  parsePort,
  readyOption,
  setOption,
  speedFactorOption,
} from "../options.ts";

interface GatewayFlags {
  readonly host: string;
  readonly port: number;
  readonly endpoint: readonly string[];
  readonly drainMs: number;
  readonly output: "text" | "json";
  readonly logLevel: LogLevel;
  readonly set: readonly string[];
  readonly speedFactor?: number;
}

const HELP = `
Examples:
  variscale gateway pipelines/id-card --endpoint detection=10.0.0.1:8000 --endpoint recognition=10.0.0.2:8000
  variscale gateway pipelines/id-card --endpoint detection=127.0.0.1:8000/v4-640 --endpoint recognition=127.0.0.1:8000/small
  variscale gateway pipelines/id-card --endpoint detection=dns:detection.shop.svc.cluster.local:8000 --endpoint …

--output json, when it listens:
  {"pipeline": "default/id-card", "url", "metrics", "readyz"}: requests go to \`url\`, and \`readyz\` says whether every stage has a replica

It serves until Ctrl-C or SIGTERM, and then ends with 0.`;

export function addGateway(program: Command): void {
  program
    .command("gateway <pipeline>")
    .description("run a pipeline over its stages: pre- and post-processing, balancing, deadlines")
    .option("--host <host>", "to listen on", "0.0.0.0")
    .option("--port <port>", "to listen on", parsePort, 8090)
    .option(
      "--endpoint <stage=host:port[/model]>",
      "a replica of a stage; /model for a server of several models, or that calls it otherwise than the stage; with stage=dns:host:port every address of the name is one, followed as it changes; with stage/variant=… it votes: every row goes to one replica of each of these variants; may be repeated",
      collect,
      [],
    )
    .option("--drain-ms <ms>", "from failing /readyz to closing the port", text => parseNumber(text, 0, 600_000), 0)
    .addOption(setOption())
    .addOption(speedFactorOption())
    .addOption(readyOption())
    .addOption(logLevelOption("info"))
    .addHelpText("after", HELP)
    .action(async (path: string, flags: GatewayFlags) => {
      const { pipelineFileAt, readPipeline } = await import("../../runtime/read-pipeline.ts");
      const { runGateway } = await import("../../gateway/main.ts");
      const { formatKey } = await import("../../domain/pipeline.ts");
      const { reachedAt } = await import("../reached-at.ts");
      const { writeReady } = await import("../write-ready.ts");
      const { set, speedFactor, endpoint, output, ...rest } = flags;
      const pipeline = readPipeline(path, { set, ...(speedFactor === undefined ? {} : { speedFactor }) });
      const port = await runGateway({ ...rest, pipeline, file: pipelineFileAt(path), endpoints: endpoint });
      if (output === "text") return;
      const key = formatKey(pipeline.key);
      const http = `http://${reachedAt(rest.host, port)}`;
      writeReady({
        pipeline: key,
        url: `${http}/v1/pipelines/${key}`,
        metrics: `${http}/metrics`,
        readyz: `${http}/readyz`,
      });
    });
}
