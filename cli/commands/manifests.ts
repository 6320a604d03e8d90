import { type Command, Option } from "commander";
import { VariscaleError } from "../../domain/errors.ts";
import { collect, setOption } from "../options.ts";

interface ManifestsFlags {
  readonly output: "yaml" | "json";
  readonly crd?: boolean;
  readonly scalerAddress?: string;
  readonly switcherAddress?: string;
  readonly scalerNamespace?: string;
  readonly serviceAccount: string;
  readonly pipelinesFrom: readonly string[];
  readonly ha?: boolean;
  readonly switcherIdentity: keyof typeof TOKENS;
  readonly switcherAudience?: string;
  readonly tlsSecret?: string;
  readonly target: readonly string[];
  readonly image?: string;
  readonly modelsClaim?: string;
  readonly set: readonly string[];
}

const TOKENS = { token: "shown", tokenreview: "reviewed", none: "none" } as const;

const EXAMPLES = `
Examples:
  variscale manifests pipelines/id-card | kubectl apply -f -
  variscale manifests pipelines/id-card --target detection=StatefulSet/detector --tls-secret variscale-keda
  variscale manifests pipelines/id-card --image registry.example/variscale:0.2.0 --models-claim models --tls-secret variscale-client-tls
  variscale manifests --crd | kubectl apply --server-side -f -

Check afterwards what the cluster made of them: variscale doctor pipelines/id-card`;

export function addManifests(program: Command): void {
  program
    .command("manifests [pipeline]")
    .description(
      "write the Kubernetes objects of a pipeline: a ScaledObject for every stage, the scaler's rights, and switchers where an image is named",
    )
    .addOption(new Option("--output <format>", "of the objects").choices(["yaml", "json"]).default("yaml"))
    .option(
      "--scaler-address <host:port>",
      "of the scaler, for KEDA (default: variscale-scaler.NAMESPACE.svc.cluster.local:6000)",
    )
    .option(
      "--switcher-address <host:port>",
      "of the scaler, for switchers (default: variscale-switchers.NAMESPACE.svc.cluster.local:6001)",
    )
    .option("--scaler-namespace <namespace>", "where the scaler runs (default: that of the pipeline)")
    .option("--service-account <name>", "that the scaler runs as", "variscale-scaler")
    .option("--pipelines-from <where>", "as the scaler's: adds the rights that it needs for it", collect, [])
    .option(
      "--ha",
      "also the rights to the Lease and the ConfigMaps by which one of several scalers leads (--ha lease)",
    )
    .addOption(
      new Option(
        "--switcher-identity <how>",
        "`token`: the switchers that are written show the token of their pod, as the chart's scaler asks for; `tokenreview`: also the scaler's right to have it reviewed, which the chart has; `none`: they show none",
      )
        .choices(["token", "tokenreview", "none"])
        .default("token"),
    )
    .option("--switcher-audience <name>", "as the scaler's: that the tokens are for (default: variscale)")
    .option("--tls-secret <name>", "Secret with ca.crt, tls.crt and tls.key for KEDA: the connection is mutual TLS")
    .option(
      "--target <stage=[kind/]name>",
      "what is scaled and is there already, a Deployment where no kind is named; may be repeated",
      collect,
      [],
    )
    .option("--crd", "write the CustomResourceDefinition of InferencePipeline, and nothing else")
    .option("--image <image>", "writes a Deployment of switchers for every stage without a --target")
    .option("--models-claim <name>", "PersistentVolumeClaim with the model files, for switchers")
    .addOption(setOption())
    .addHelpText("after", EXAMPLES)
    .action(async (path: string | undefined, flags: ManifestsFlags) => {
      const { writeResult } = await import("../write-result.ts");
      const { yamlOf } = await import("../manifests/yaml-of.ts");
      const objects = flags.crd ? await crd() : await manifests(path, flags);
      const list = { apiVersion: "v1", kind: "List", items: objects };
      writeResult(flags.output === "json" ? JSON.stringify(list, null, 2) : yamlOf(objects));
    });
}

async function crd(): Promise<readonly object[]> {
  const { pipelineCrd } = await import("../manifests/pipeline-crd.ts");
  return [pipelineCrd()];
}

async function manifests(path: string | undefined, flags: ManifestsFlags): Promise<readonly object[]> {
  if (path === undefined)
    throw new VariscaleError("invalid_argument", "name a pipeline file or its folder, or write --crd");
  const { readPipeline } = await import("../../runtime/read-pipeline.ts");
  const { manifestsOf } = await import("../manifests/manifests.ts");
  return manifestsOf(readPipeline(path, { set: flags.set }), {
    scalerAddress: flags.scalerAddress ?? null,
    switcherAddress: flags.switcherAddress ?? null,
    tlsSecret: flags.tlsSecret ?? null,
    scalerNamespace: flags.scalerNamespace ?? null,
    serviceAccount: flags.serviceAccount,
    pipelinesFromCluster: flags.pipelinesFrom.length > 0,
    switcherTokens: TOKENS[flags.switcherIdentity],
    audience: flags.switcherAudience ?? null,
    ha: flags.ha ?? false,
    targets: flags.target,
    image: flags.image ?? null,
    modelsClaim: flags.modelsClaim ?? null,
  });
}
