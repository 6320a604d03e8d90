import { type Command, Option } from "commander";
import { EXIT } from "../exit-codes.ts";
import { setOption } from "../options.ts";
import { READER_TOKEN_HELP, tokenOf } from "../scaler/access-options.ts";

const SCALER_URL = {
  where: "--scaler-url",
  example: "http://127.0.0.1:8080",
  isHttpsAllowed: true,
  credentials: "remove them",
};

interface DoctorFlags {
  readonly context?: string;
  readonly namespace?: string;
  readonly allNamespaces: boolean;
  readonly kedaNamespace: string;
  readonly scalerUrl?: string;
  readonly tlsFolder?: string;
  readonly output: "text" | "json";
  readonly set: readonly string[];
}

const EXAMPLES = `
Examples:
  variscale doctor pipelines/id-card --context production
  variscale doctor --all-namespaces --output json
  variscale doctor pipelines/id-card --scaler-url http://127.0.0.1:8080

It reads and changes nothing. It ends with 0 where nothing failed, and with 1 otherwise.

${READER_TOKEN_HELP}`;

export function addDoctor(program: Command): void {
  program
    .command("doctor [pipeline]")
    .description(
      "check how variscale is set up in a cluster: KEDA, ScaledObjects, their live HPAs and pods, the scaler, load, versions, clocks, TLS",
    )
    .option("--context <name>", "context of the kubeconfig (default: the pod's service account, else the current one)")
    .option(
      "--namespace <namespace>",
      "of the pipeline and its ScaledObjects (default: that of the pipeline file, else of the context)",
    )
    .option("--all-namespaces", "look at the ScaledObjects of all namespaces", false)
    .option("--keda-namespace <namespace>", "where KEDA runs", "keda")
    .option(
      "--scaler-url <url>",
      "of the scaler's HTTP port (default: port 8080 of the host that KEDA calls, through the API server where only the cluster knows it)",
    )
    .option("--tls-folder <folder>", "with the scaler's tls.crt, tls.key and ca.crt, to check them as well")
    .addOption(new Option("--output <format>", "of the findings").choices(["text", "json"]).default("text"))
    .addOption(setOption())
    .addHelpText("after", EXAMPLES)
    .action(async (path: string | undefined, flags: DoctorFlags) => {
      const { readPipeline } = await import("../../runtime/read-pipeline.ts");
      const { findKubernetes } = await import("../../runtime/find-kubernetes.ts");
      const { KubernetesClient } = await import("../../runtime/kubernetes.ts");
      const { parseHttpAddress } = await import("../../runtime/http-address.ts");
      const { examine } = await import("../doctor/doctor.ts");
      const { formatFindings } = await import("../doctor/finding.ts");
      const { writeResult } = await import("../write-result.ts");
      const { readScalerPair } = await import("../doctor/scaler-pair.ts");
      if (flags.scalerUrl !== undefined) parseHttpAddress(flags.scalerUrl, SCALER_URL);
      // A pipeline is that of its ScaledObjects' namespace, whatever its file says.
      const own = flags.namespace === undefined ? [] : [`metadata.namespace=${JSON.stringify(flags.namespace)}`];
      const pipeline = path === undefined ? null : readPipeline(path, { set: [...flags.set, ...own] });
      const config = findKubernetes({ env: process.env, context: flags.context ?? null });
      const client = new KubernetesClient(config);
      const findings = await examine({
        client,
        pipeline,
        namespace: flags.allNamespaces ? null : (flags.namespace ?? pipeline?.key.namespace ?? config.namespace),
        kedaNamespace: flags.kedaNamespace,
        scaler: flags.scalerUrl === undefined ? null : { url: flags.scalerUrl, token: tokenOf(undefined, process.env) },
        scalerPair: flags.tlsFolder === undefined ? null : readScalerPair(flags.tlsFolder),
        nowMs: Date.now(),
      });
      client.close();
      const failed = findings.some(({ kind }) => kind === "fail");
      writeResult(
        flags.output === "json" ? JSON.stringify({ ok: !failed, findings }, null, 2) : formatFindings(findings),
      );
      process.exitCode = failed ? EXIT.failed : 0;
    });
}
