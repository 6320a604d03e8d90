import { VariscaleError } from "../../domain/errors.ts";
import { findStage, type Pipeline } from "../../domain/pipeline.ts";
import { ACCESS_RULES, accessOf, identityAccessOf, PIPELINE_ACCESS_RULES, sharedAccessOf } from "./access-rules.ts";
import { objectName } from "./object-name.ts";
import { type ScaleTarget, scaledObjectOf, triggerAuthenticationOf } from "./scaled-object.ts";
import { switcherAccount, switchersOf } from "./switchers.ts";

export interface ManifestOptions {
  /** host:port of the scaler for KEDA; null: where the chart puts it. */
  readonly scalerAddress: string | null;
  /** host:port of the scaler for switchers; null: where the chart puts it. */
  readonly switcherAddress: string | null;
  /** Secret with ca.crt, tls.crt and tls.key for KEDA and for the switchers that are written; null: plaintext. */
  readonly tlsSecret: string | null;
  /** Where the scaler runs; null: in the pipeline's namespace. */
  readonly scalerNamespace: string | null;
  readonly serviceAccount: string;
  /** The scaler finds its pipelines in the cluster (`--pipelines-from`), and has the rights to. */
  readonly pipelinesFromCluster: boolean;
  /** The switchers that are written show the token of their pod, and the scaler has the right to have it reviewed where that is written too. */
  readonly switcherTokens: "none" | "shown" | "reviewed";
  /** The tokens of switchers are for it; null: what the scaler takes by default. */
  readonly audience: string | null;
  /** Also the rights of several scalers of which one leads. */
  readonly ha: boolean;
  /** `stage=[kind/]name` for what is scaled and is there already. */
  readonly targets: readonly string[];
  /** For Deployments of switchers; null: none are written. */
  readonly image: string | null;
  readonly modelsClaim: string | null;
}

/** All objects that a pipeline needs beside its scaler. Throws invalid_argument for options that contradict each other. */
export function manifestsOf(pipeline: Pipeline, options: ManifestOptions): readonly object[] {
  const { namespace } = pipeline.key;
  const { image, modelsClaim, tlsSecret } = options;
  if ((image === null) !== (modelsClaim === null))
    throw new VariscaleError(
      "invalid_argument",
      "switchers need both --image and --models-claim: their image, and the PersistentVolumeClaim with the model files",
    );
  const scalerNamespace = options.scalerNamespace ?? namespace;
  const account = { name: options.serviceAccount, namespace: scalerNamespace };
  const service = (name: string, port: number) => `variscale-${name}.${scalerNamespace}.svc.cluster.local:${port}`;
  const targets = parseTargets(pipeline, options.targets);
  const showToken = options.switcherTokens !== "none";
  const scalerAddress = options.scalerAddress ?? service("scaler", 6000);
  const switcherAddress = options.switcherAddress ?? service("switchers", 6001);
  return [
    ...accessOf(namespace, account, [...ACCESS_RULES, ...(options.pipelinesFromCluster ? PIPELINE_ACCESS_RULES : [])]),
    ...(options.ha ? sharedAccessOf(account) : []),
    ...(options.switcherTokens === "reviewed" ? identityAccessOf(account) : []),
    ...(tlsSecret === null ? [] : [triggerAuthenticationOf(namespace, tlsSecret)]),
    ...(showToken && image !== null ? accountsOf(pipeline, targets) : []),
    ...pipeline.stages.flatMap(stage => {
      const given = targets.get(stage.name);
      const name = objectName(pipeline.key.name, stage.name);
      const target = given ?? { kind: "Deployment", name, apiVersion: null };
      return [
        ...(image === null || modelsClaim === null || given
          ? []
          : switchersOf(pipeline, stage, {
              ...{ image, modelsClaim, scalerAddress: switcherAddress, tlsSecret },
              ...{ showToken, audience: options.audience },
            })),
        scaledObjectOf(pipeline, stage, { scalerAddress, authentication: tlsSecret, target }),
      ];
    }),
  ];
}

/**
 * Service accounts that the switchers run as that are written; none of them has rights. Others may run as one that is there already, so
 * whether tokens are mounted is for each pod to say; `default` is always there.
 */
function accountsOf({ key, stages }: Pipeline, targets: ReadonlyMap<string, ScaleTarget>): object[] {
  const names = stages.filter(({ name }) => !targets.has(name)).map(switcherAccount);
  return [...new Set(names)]
    .filter(name => name !== "default")
    .map(name => ({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace: key.namespace } }));
}

function parseTargets(pipeline: Pipeline, pairs: readonly string[]): ReadonlyMap<string, ScaleTarget> {
  const targets = new Map<string, ScaleTarget>();
  for (const pair of pairs) {
    const found = /^([^=]+)=(?:(?:([^/]+\/[^/]+)\/)?([A-Za-z]+)\/)?([^/]+)$/.exec(pair);
    const [, stage = "", apiVersion, kind, name = ""] = found ?? [];
    if (!found)
      throw new VariscaleError(
        "invalid_argument",
        `--target ${pair}: must be stage=name, stage=Kind/name or stage=group/version/Kind/name, as in detect=StatefulSet/detector`,
      );
    if (!findStage(pipeline, stage))
      throw new VariscaleError(
        "invalid_argument",
        `--target ${pair}: there is no stage \`${stage}\`; there is: ${pipeline.stages.map(one => one.name).join(", ")}`,
      );
    // KEDA takes apps/v1 where nothing is said.
    targets.set(stage, { kind: kind ?? "Deployment", name, apiVersion: apiVersion ?? null });
  }
  return targets;
}
