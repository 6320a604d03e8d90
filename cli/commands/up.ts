import type { Command } from "commander";
import type { Logger } from "pino";
import type { PipelineKey } from "../../domain/pipeline.ts";
import type { LogFormat, LogLevel } from "../../runtime/logger.ts";
import { adoptEarlierState, findModelFolder, upStateFolder } from "../folders.ts";
import {
  logFormatOption,
  logLevelOption,
  parseNumber,
  parsePort,
  readyOption,
  setOption,
  speedFactorOption,
} from "../options.ts";
import type { Up } from "../up/up.ts";

interface UpFlags {
  readonly cores?: number;
  readonly modelFolder?: string;
  readonly stateDir?: string;
  readonly port: number;
  readonly httpPort: number;
  readonly kedaPort: number;
  readonly switcherPort: number;
  readonly output: "text" | "json";
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly set: readonly string[];
  readonly speedFactor?: number;
}

const HELP = `
Examples:
  variscale up pipelines/id-card
  curl -s --data-binary @card.jpg -H 'content-type: image/jpeg' http://127.0.0.1:8090/v1/pipelines/default/id-card
  variscale up ./shop --port 0 --http-port 0 --keda-port 0 --switcher-port 0 --output json

--output json, when every stage has a replica that is ready:
  {"pipeline": "default/shop", "mode": "active", "url", "page", "api", "metrics", "keda", "switchers"}: requests go to \`url\`

Edits of the pipeline file and of its code count from the next start on; it warns when a file has changed, and names it.
It serves until Ctrl-C or SIGTERM, and then ends with 0.`;

export function addUp(program: Command): void {
  program
    .command("up <pipeline>")
    .description("serve a pipeline on this machine: scaler, gateway, and replicas as local processes")
    .option("--cores <n>", "cores to plan with (default: all)", text => parseNumber(text, 0.1, 1024))
    .option(
      "--model-folder <folder>",
      "model files (default: `models` beside the pipeline file, else the cache of the pipeline, filled by its recipes)",
    )
    .option(
      "--state-dir <folder>",
      "keeps plans, pins and history (default: one for this pipeline file, in ~/.local/state/variscale/up)",
    )
    .option("--port <port>", "of the gateway", parsePort, 8090)
    .option("--http-port <port>", "of the scaler's live page, HTTP API and metrics", parsePort, 8080)
    .option("--keda-port <port>", "of the scaler's gRPC for KEDA", parsePort, 6000)
    .option("--switcher-port <port>", "of the scaler's gRPC for switchers", parsePort, 6001)
    .addOption(setOption())
    .addOption(speedFactorOption())
    .addOption(readyOption())
    .addOption(logLevelOption("info"))
    .addOption(logFormatOption())
    .addHelpText("after", HELP)
    .action(runUp);
}

const LOOK_EVERY_MS = 2000;

async function runUp(path: string, flags: UpFlags): Promise<void> {
  const { availableParallelism } = await import("node:os");
  const { createLogger, setLogFormat } = await import("../../runtime/logger.ts");
  const { pipelineFileAt, readPipeline } = await import("../../runtime/read-pipeline.ts");
  const { shutdownOnSignal } = await import("../../runtime/shutdown.ts");
  const { leftOutLine, prepare } = await import("../prepare-models.ts");
  const { checkContracts } = await import("../../profiler/check-contracts.ts");
  const { scalerAddresses } = await import("../scaler/scaler-addresses.ts");
  const { startUp } = await import("../up/up.ts");
  const { formatKey } = await import("../../domain/pipeline.ts");
  const { writeReady } = await import("../write-ready.ts");
  const { lockFolder } = await import("../../runtime/folder-lock.ts");
  const { PipelineFile } = await import("../../scaler/pipeline-files.ts");
  const { checkModelHashes } = await import("../../models/model-hashes.ts");
  setLogFormat(flags.logFormat, process.env);
  const logger = createLogger("up", flags.logLevel);
  const read = { set: flags.set, ...(flags.speedFactor === undefined ? {} : { speedFactor: flags.speedFactor }) };
  const pipeline = readPipeline(path, read);
  const modelFolder = findModelFolder(process.env, flags.modelFolder, pipeline, pipelineFileAt(path));
  const { leftOut } = await prepare(pipeline, pipelineFileAt(path), modelFolder, model => {
    if (model.kind === "prepared") logger.info({ file: model.file }, "model prepared");
  });
  const without = leftOutLine(leftOut, pipelineFileAt(path));
  if (without) logger.info(without);
  const whole = readPipeline(path, { ...read, leaveOut: leftOut });
  await checkModelHashes(whole, modelFolder);
  await checkContracts(whole, modelFolder);
  // Before the ports: a second one of this pipeline is told of the first, and not of a port.
  const stateDir = flags.stateDir ?? upStateFolder(process.env, pipelineFileAt(path), pipeline.key);
  await lockFolder(stateDir, `variscale up ${path}`);
  await checkPorts(flags, logger);
  if (flags.stateDir === undefined) adoptState(stateDir, pipeline.key, logger);
  const edits = new PipelineFile({ path, set: flags.set });
  // Before anything is started, so that a signal ends all of it, however far that is.
  let starting: Promise<Up> | null = null;
  const close = () =>
    starting?.then(
      up => up.close(),
      () => undefined,
    );
  shutdownOnSignal([{ name: "up", timeoutMs: 30_000, run: close }], logger);
  starting = startUp({
    file: path,
    read: { ...read, leaveOut: leftOut },
    modelFolder,
    machineCores: flags.cores ?? availableParallelism(),
    stateDir,
    ports: { gateway: flags.port, http: flags.httpPort, keda: flags.kedaPort, switchers: flags.switcherPort },
    logger,
    logLevel: flags.logLevel,
  });
  const up = await starting;
  try {
    await up.ready();
  } catch (error) {
    await up.close();
    throw error;
  }
  const { url } = up;
  const { page, api, ...others } = scalerAddresses("127.0.0.1", up.scaler.ports);
  // An operator's mode of an earlier run holds on.
  const mode = up.board()?.mode ?? pipeline.mode;
  logger.info({ url, page, api, mode }, "ready");
  if (mode === "shadow")
    logger.info(
      "mode shadow: it only says what it would do. Write `mode: active` into the pipeline file, or run `variscale mode active`, to have it act.",
    );
  setInterval(() => {
    if (edits.look())
      logger.warn(
        `${edits.changedFiles.join(" and ")} changed: the pipeline is served as it was at the start. Start \`variscale up\` again to take the change.`,
      );
  }, LOOK_EVERY_MS).unref();
  if (flags.output === "json") writeReady({ pipeline: formatKey(pipeline.key), mode, url, page, api, ...others });
}

/** A folder that can't be written is no reason not to serve: the scaler says itself that it keeps nothing. */
function adoptState(stateDir: string, key: PipelineKey, logger: Logger): void {
  try {
    adoptEarlierState(process.env, stateDir, key);
  } catch (error) {
    logger.warn({ err: error, folder: stateDir }, "what an earlier version kept is not taken over");
  }
}

/** Finds out before anything is started whether the ports can be had. */
async function checkPorts({ port, httpPort, kedaPort, switcherPort }: UpFlags, logger: Logger): Promise<void> {
  const { createServer } = await import("node:net");
  const { listen } = await import("../../runtime/listen.ts");
  const wanted = { "--port": port, "--http-port": httpPort, "--keda-port": kedaPort, "--switcher-port": switcherPort };
  for (const [portOption, number] of Object.entries(wanted)) {
    const server = createServer();
    await listen(server, { host: "127.0.0.1", port: number, portOption, logger });
    await new Promise(resolve => server.close(resolve));
  }
}
