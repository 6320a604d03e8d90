import { type Command, Option } from "commander";
import { collect, setOption } from "../options.ts";

interface ManifestsFlags {
  readonly output: "yaml" | "json";
  readonly scalerAddress?: string;
  readonly switcherAddress?: string;
  readonly scalerNamespace?: string;
  readonly serviceAccount: string;
  readonly tlsSecret?: string;
  readonly target: readonly string[];
  readonly image?: string;
  readonly modelsClaim?: string;
  readonly set: readonly string[];
}

const EXAMPLES = `
Examples:
  variscale manifests pipelines/id-card | kubectl apply -f -
  variscale manifests pipelines/id-card --target detection=StatefulSet/detector --tls-secret variscale-keda
  variscale manifests pipelines/id-card --image registry.example/variscale:0.1.0 --models-claim models

Check afterwards what the cluster made of them: variscale doctor pipelines/id-card`;

export function addManifests(program: Command): void {
  program
    .command("manifests <pipeline>")
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
    .option("--tls-secret <name>", "Secret with ca.crt, tls.crt and tls.key for KEDA: the connection is mutual TLS")
    .option(
      "--target <stage=[kind/]name>",
      "what is scaled and is there already, a Deployment where no kind is named; may be repeated",
      collect,
      [],
    )
    .option("--image <image>", "writes a Deployment of switchers for every stage without a --target")
    .option("--models-claim <name>", "PersistentVolumeClaim with the model files, for switchers")
    .addOption(setOption())
    .addHelpText("after", EXAMPLES)
    .action(async (path: string, flags: ManifestsFlags) => {
      const { readPipeline } = await import("../../runtime/read-pipeline.ts");
      const { manifestsOf } = await import("../manifests/manifests.ts");
      const { stringify } = await import("yaml");
      const objects = manifestsOf(readPipeline(path, { set: flags.set }), {
        scalerAddress: flags.scalerAddress ?? null,
        switcherAddress: flags.switcherAddress ?? null,
        tlsSecret: flags.tlsSecret ?? null,
        scalerNamespace: flags.scalerNamespace ?? null,
        serviceAccount: flags.serviceAccount,
        targets: flags.target,
        image: flags.image ?? null,
        modelsClaim: flags.modelsClaim ?? null,
      });
      const list = { apiVersion: "v1", kind: "List", items: objects };
      process.stdout.write(
        flags.output === "json"
          ? `${JSON.stringify(list, null, 2)}\n`
          : objects.map(object => `---\n${stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })}`).join(""),
      );
    });
}
