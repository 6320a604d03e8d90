import { hostname } from "node:os";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Logger } from "pino";
import { VariscaleError } from "../../domain/errors.ts";
import type { LogLevel } from "../../runtime/logger.ts";
import type { TlsFolder } from "../../runtime/tls-folder.ts";
import type { ClusterOptions } from "../../scaler/cluster.ts";
import type { SwitcherIdentity } from "../../scaler/switcher-identity.ts";
import { defaultStateFolder, findModelFolder } from "../folders.ts";
import { parseLoadSource } from "../load-source.ts";
import { collect, logLevelOption, parseNumber, parsePort, readyOption, setOption } from "../options.ts";
import { OWN_SCALER_TOKEN, tokenOf } from "../scaler/access-options.ts";
import { type HighAvailabilityFlags, readHighAvailability } from "../scaler/high-availability.ts";

interface ScalerFlags extends HighAvailabilityFlags {
  readonly kedaPort: number;
  readonly switcherPort: number;
  readonly httpPort: number;
  readonly loadSource: readonly string[];
  readonly pipelinesFrom: readonly string[];
  readonly namespace: readonly string[];
  readonly stateDir: string;
  readonly trainingShare: number;
  readonly kubernetes: "auto" | "on" | "off";
  readonly context?: string;
  readonly hpaTolerance: number;
  readonly tlsFolder?: string;
  readonly switcherIdentity: "none" | "tokenreview";
  readonly switcherAudience?: string;
  readonly switcherServiceAccount: readonly string[];
  readonly allowedHost: readonly string[];
  readonly output: "text" | "json";
  readonly logLevel: LogLevel;
  readonly set: readonly string[];
}

const HELP = `
Examples:
  variscale scaler pipelines/id-card --load-source gateway=http://gateway:8090
  variscale scaler --pipelines-from crd --load-source gateway=http://gateway:8090
  variscale scaler cards.yaml --load-source prometheus=prometheus+http://prometheus:9090 --set spec.load.source=prometheus

A Prometheus's address takes options, as in prometheus+https://host/path?caFile=/etc/ca.pem&bearerTokenFile=/run/token:
  caFile, bearerTokenFile, tenant, timeoutMs, backfillMs, stepMs (docs/load-sources.md)

--output json, when its ports answer and all pipelines that there are were taken or refused:
  {"pipelines": ["default/id-card"], "page", "api", "metrics", "keda", "switchers"}

It serves until Ctrl-C or SIGTERM, and then ends with 0.

Environment:
  VARISCALE_TOKEN          what changes over HTTP must carry as a bearer token; without it they are taken from this machine alone, and in a cluster from nobody
  VARISCALE_NAME_USERNAME  for the load source of that name, in capitals: basic authentication at its Prometheus
  VARISCALE_NAME_PASSWORD`;

export function addScaler(program: Command): void {
  program
    .command("scaler [pipelines...]")
    .description("run the control plane: KEDA external scaler, control loop, assignment stream, HTTP API")
    .option("--host <host>", "to listen on", "0.0.0.0")
    .option("--keda-port <port>", "gRPC for KEDA", parsePort, 6000)
    .option("--switcher-port <port>", "gRPC for switchers", parsePort, 6001)
    .option("--http-port <port>", "live page, HTTP API, metrics and health", parsePort, 8080)
    .option(
      "--load-source <name=url>",
      "where load is read, under the name that pipeline files use: a gateway, or prometheus+http://…; may be repeated",
      collect,
      ["gateway=http://127.0.0.1:8090"],
    )
    .option(
      "--pipelines-from <where>",
      "beside the files: `crd`, the InferencePipelines of a namespace, whose statuses are written; `configmaps`, those with the label variscale.dev/pipeline; `scaledobjects`, the ConfigMaps that their annotation variscale.dev/pipeline-configmap names; may be repeated",
      collect,
      [],
    )
    .option("--namespace <name>", "of --pipelines-from; may be repeated (default: the scaler's own)", collect, [])
    .option("--state-dir <folder>", "keeps plans, pins and history", defaultStateFolder(process.env))
    .option(
      "--training-share <share>",
      "of one core that training of the pipelines' own forecast models may take, all together; 0: none is trained",
      text => parseNumber(text, 0, 1),
      0.1,
    )
    .addOption(
      new Option(
        "--kubernetes <when>",
        "watch the ScaledObjects and HPAs of the pipelines, and write Events: `auto` does in a pod, `on` also with a kubeconfig",
      )
        .choices(["auto", "on", "off"])
        .default("auto"),
    )
    .option("--context <name>", "context of the kubeconfig (KUBECONFIG or ~/.kube/config); means --kubernetes on")
    .option(
      "--hpa-tolerance <share>",
      "of the cluster's HPAs that name none, as kube-controller-manager has it",
      text => parseNumber(text, 0, 1),
      0.1,
    )
    .addOption(
      new Option(
        "--ha <how>",
        "`lease`: this is one of several scalers of the same pipelines; one leads by a Lease of the cluster, all answer KEDA",
      )
        .choices(["off", "lease"])
        .default("off"),
    )
    .option("--lease-name <name>", "of the Lease, the same for all of them", "variscale-scaler")
    .option(
      "--lease-namespace <namespace>",
      "of the Lease and the ConfigMaps beside it; default: the pod's, or the context's",
    )
    .option(
      "--lease-duration <seconds>",
      "how long the Lease holds after its last renewal: another leads after so long when the leader is gone",
      text => parseNumber(text, 2, 300),
      10,
    )
    .option(
      "--advertise-host <host>",
      "under which switchers and other scalers reach this one; default: POD_IP, else an address of this machine",
    )
    .option(
      "--tls-folder <folder>",
      "mutual TLS for KEDA and switchers: has tls.crt, tls.key and ca.crt, read again when they change",
    )
    .addOption(
      new Option(
        "--switcher-identity <how>",
        "`tokenreview`: switchers show the token of their pod's service account (--scaler-token-file), which the API server reviews",
      )
        .choices(["none", "tokenreview"])
        .default("none"),
    )
    .option(
      "--switcher-service-account <name>",
      "that switchers run as; may be repeated (default: any of the pipeline's namespace)",
      collect,
      [],
    )
    .option(
      "--switcher-audience <name>",
      "that the tokens of switchers are for: another for each scaler, as variscale/NAMESPACE/NAME, and what one was shown is of no use to others (default: variscale)",
    )
    .option(
      "--allowed-host <name>",
      "that the Host header may have on a loopback address, beside localhost: of a proxy on this machine or in this pod; may be repeated",
      collectHost,
      [],
    )
    .addOption(setOption())
    .addOption(readyOption())
    .addOption(logLevelOption("info"))
    .addHelpText("after", HELP)
    .action(async (paths: string[], flags: ScalerFlags) => {
      const { watchedPipelines } = await import("../scaler/watched-pipelines.ts");
      const { createLogger } = await import("../../runtime/logger.ts");
      const { shutdownOnSignal } = await import("../../runtime/shutdown.ts");
      const { lockFolder } = await import("../../runtime/folder-lock.ts");
      const { openTracer } = await import("../../runtime/tracing/open-tracer.ts");
      const { startScaler } = await import("../../scaler/main.ts");
      const { isInPod } = await import("../../runtime/find-kubernetes.ts");
      const logger = createLogger("scaler", flags.logLevel);
      const tls = flags.tlsFolder === undefined ? null : await openTls(flags.tlsFolder, logger);
      const kubernetes = await kubernetesOf(flags);
      // Several scalers share what they decide by the cluster, never by a folder: histories, models and logs are each one's own.
      await lockFolder(flags.stateDir, "variscale scaler");
      const starting = startScaler({
        pipelines: [],
        pipelineFiles: paths.map(path => ({ path, set: flags.set })),
        watchedPipelines: watchedPipelines(flags, paths.length, kubernetes?.config ?? null),
        loadSources: Object.fromEntries(flags.loadSource.map(pair => parseLoadSource(pair, process.env))),
        host: flags.host,
        ports: { keda: flags.kedaPort, switchers: flags.switcherPort, http: flags.httpPort },
        stateDir: flags.stateDir,
        machineCores: null,
        training: flags.trainingShare > 0 ? { share: flags.trainingShare } : null,
        kubernetes,
        highAvailability: await readHighAvailability(flags, kubernetes),
        tls,
        switcherIdentity: await switcherIdentityOf(flags, kubernetes, logger),
        token: tokenOf(undefined, process.env, OWN_SCALER_TOKEN),
        // A scaler of the same machine passes requests on under the name that this one advertises.
        allowedHosts: [...flags.allowedHost, flags.advertiseHost?.toLowerCase() ?? []].flat(),
        isInCluster: isInPod(process.env),
        tracer: await openTracer(process.env, { service: "variscale-scaler", instance: hostname(), attributes: {} }),
        logger,
      });
      // Before it has started: a first process of a container that takes no signals could not be ended.
      const close = async (): Promise<void> => (await starting).close();
      shutdownOnSignal([{ name: "scaler", timeoutMs: 10_000, run: close }], logger);
      const scaler = await starting;
      for (const path of paths)
        warnOfStaleModels(path, flags.set, logger).catch((error: unknown) =>
          logger.debug({ err: error, path }, "model files were not compared"),
        );
      if (flags.output === "text") return;
      const { formatKey } = await import("../../domain/pipeline.ts");
      const { scalerAddresses } = await import("../scaler/scaler-addresses.ts");
      const { writeReady } = await import("../write-ready.ts");
      await scaler.ready;
      writeReady({
        pipelines: scaler.pipelines.pipelines().map(({ key }) => formatKey(key)),
        ...scalerAddresses(flags.host, scaler.ports),
      });
    });
}

function collectHost(name: string, before: readonly string[]): readonly string[] {
  if (/^[a-z\d_-]+(\.[a-z\d_-]+)*$/i.test(name)) return [...before, name.toLowerCase()];
  throw new InvalidArgumentError("must be a name alone, as variscale.example, without a scheme, a port or a path.");
}

/**
 * Says which model files are others than the pipeline file names, where they lie beside it or in the cache. Switchers refuse such files when they
 * load them. Files that are not here are no concern of the scaler, which plans without them.
 */
async function warnOfStaleModels(path: string, set: readonly string[], logger: Logger): Promise<void> {
  const { pipelineFileAt, readPipeline } = await import("../../runtime/read-pipeline.ts");
  const { findWrongModels } = await import("../../models/model-hashes.ts");
  const pipeline = readPipeline(path, { set });
  const folder = findModelFolder(process.env, undefined, pipeline, pipelineFileAt(path));
  for (const { found, message } of await findWrongModels(pipeline, folder)) if (found !== null) logger.warn(message);
}

async function kubernetesOf(flags: ScalerFlags): Promise<ClusterOptions | null> {
  const { env } = process;
  const context = flags.context ?? null;
  if (flags.kubernetes === "off") return null;
  const { findKubernetes, inClusterKubernetes } = await import("../../runtime/find-kubernetes.ts");
  const isAsked = flags.kubernetes === "on" || context !== null || flags.pipelinesFrom.length > 0;
  const config = isAsked ? findKubernetes({ env, context }) : inClusterKubernetes({ env });
  return config && { config, hpaTolerance: flags.hpaTolerance, instance: hostname() };
}

async function switcherIdentityOf(
  flags: ScalerFlags,
  kubernetes: ClusterOptions | null,
  logger: Logger,
): Promise<SwitcherIdentity | null> {
  const { switcherIdentity, switcherServiceAccount: serviceAccounts, switcherAudience: audience } = flags;
  if (switcherIdentity === "none") {
    if (serviceAccounts.length === 0 && audience === undefined) return null;
    throw new VariscaleError(
      "invalid_argument",
      `${serviceAccounts.length === 0 ? "--switcher-audience" : "--switcher-service-account"} goes with --switcher-identity tokenreview: without, switchers show no token`,
    );
  }
  if (kubernetes === null)
    throw new VariscaleError(
      "invalid_argument",
      "--switcher-identity tokenreview needs an API server: run it in a pod, or add --kubernetes on with a kubeconfig",
    );
  const { systemClock } = await import("../../scaler/clock.ts");
  const { TokenReviewer } = await import("../../scaler/token-reviewer.ts");
  const reviewer = new TokenReviewer({
    ...{ config: kubernetes.config, serviceAccounts, clock: systemClock, logger },
    ...(audience !== undefined && { audience }),
  });
  reviewer.start();
  return reviewer;
}

async function openTls(folder: string, logger: Logger): Promise<TlsFolder> {
  const { TlsFolder } = await import("../../runtime/tls-folder.ts");
  return TlsFolder.open({ folder, logger });
}
