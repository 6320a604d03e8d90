import { hostname } from "node:os";
import { VariscaleError } from "../domain/errors.ts";
import { findStage, findVariant, formatKey, type Pipeline } from "../domain/pipeline.ts";
import { createLogger, type LogLevel } from "../runtime/logger.ts";
import { tellParent } from "../runtime/parent-process.ts";
import { shutdownOnSignal } from "../runtime/shutdown.ts";
import { openTracer } from "../runtime/tracing/open-tracer.ts";
import { dnsEndpoints, isNamedEndpoint } from "./dns-endpoints.ts";
import { type EndpointSource, ipcEndpoints, staticEndpoints } from "./endpoint-source.ts";
import { type Gateway, startGateway } from "./gateway.ts";
import { loadCode } from "./load-code.ts";
import type { PipelineCode } from "./stage.ts";
import { requireVotes, stagesWithoutVote } from "./votings.ts";

export interface GatewayCommand {
  readonly pipeline: Pipeline;
  /** The file that it was read from: its code is looked for beside it. */
  readonly file: string;
  readonly host: string;
  readonly port: number;
  /** `stage=host:port` or `stage=dns:host:port` each; none: the parent process sends them over the IPC channel. */
  readonly endpoints: readonly string[];
  readonly logLevel: LogLevel;
  /** How long `/readyz` fails before the gateway stops listening, so that those who send requests hear of it. */
  readonly drainMs: number;
}

/**
 * The process `variscale gateway FILE`. A parent process with an IPC channel is told `{ kind: "listening", ports: { http }, withoutVote }`, and
 * when it goes away so does the gateway. Gives the port that it listens on.
 *
 * @throws VariscaleError when the pipeline's code or an endpoint is wrong, or the port is taken.
 */
export async function runGateway(command: GatewayCommand): Promise<number> {
  const logger = createLogger("gateway", command.logLevel);
  const { pipeline } = command;
  const code = await loadCode(pipeline, command.file);
  requireVotes(pipeline, code);
  const endpoints = endpointsOf(command, pipeline, code, problem =>
    logger.error({ problem }, "replicas are not known"),
  );
  const tracer = await openTracer(process.env, {
    service: "variscale-gateway",
    instance: process.env["HOSTNAME"] || hostname(),
    attributes: { "variscale.pipeline": formatKey(pipeline.key) },
  });
  const { host, port } = command;
  const gateway = await startGateway({ pipeline, code, host, port, logger, endpoints, tracer });
  const shutdown = shutdownOnSignal(shutdownSteps(gateway, command.drainMs, pipeline.slo.latencyMs + 1000), logger);
  const withoutVote = stagesWithoutVote(pipeline, code);
  tellParent({ kind: "listening", ports: { http: gateway.port }, withoutVote }, () => {
    if (!gateway.isDraining()) shutdown("the parent process went away");
  });
  logger.info({ host: command.host, port: gateway.port, pipeline: pipeline.key }, "listening");
  return gateway.port;
}

function shutdownSteps(gateway: Gateway, drainMs: number, graceMs: number) {
  const drain = (): Promise<void> => {
    gateway.drain();
    return new Promise(resolve => setTimeout(resolve, drainMs));
  };
  return [
    { name: "drain", timeoutMs: drainMs + 1000, run: drain },
    { name: "close", timeoutMs: graceMs + 1000, run: () => gateway.close(graceMs) },
  ];
}

function endpointsOf(
  command: GatewayCommand,
  pipeline: Pipeline,
  code: PipelineCode,
  onProblem: (problem: string) => void,
): EndpointSource {
  const stages = pipeline.stages.map(stage => stage.name);
  checkVoters(command.endpoints, pipeline, code);
  if (command.endpoints.some(isNamedEndpoint)) return dnsEndpoints(command.endpoints, stages, { onProblem });
  if (command.endpoints.length > 0) return staticEndpoints(command.endpoints, stages);
  if (process.send !== undefined) return ipcEndpoints(process, onProblem);
  throw new VariscaleError(
    "invalid_argument",
    "there is no `--endpoint` and no parent process that sends any. Write `--endpoint stage=host:port` for every stage.",
  );
}

/** `stage/variant=…`: the stage has the variant, and its code joins votes. */
function checkVoters(flags: readonly string[], pipeline: Pipeline, code: PipelineCode): void {
  for (const flag of flags) {
    const [, name = "", voter] = /^([^=/]*)\/([^=]*)=/.exec(flag) ?? [];
    const stage = voter === undefined ? undefined : findStage(pipeline, name);
    // Of a stage that there is not, those say so who read the whole flag.
    if (voter === undefined || !stage) continue;
    if (!findVariant(stage, voter)) {
      const names = stage.variants.map(variant => variant.name).join(", ");
      throw new VariscaleError(
        "invalid_argument",
        `endpoint \`${flag}\` is for a variant that stage \`${name}\` does not have. Write one of: ${names}.`,
      );
    }
    if (!code.stages[name]?.vote)
      throw new VariscaleError(
        "invalid_argument",
        `endpoint \`${flag}\`: the code of stage \`${name}\` joins no votes. Give it a \`vote\`, or write \`${name}=…\`.`,
      );
  }
}
