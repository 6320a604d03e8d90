import { type ChannelCredentials, Client, credentials, type ServiceError, status } from "@grpc/grpc-js";
import { service as healthService } from "grpc-health-check";
import { VariscaleError } from "../../domain/errors.ts";
import type { ExternalScalerClient } from "../../proto/generated/externalscaler/ExternalScaler.ts";
import type { GetMetricSpecResponse__Output } from "../../proto/generated/externalscaler/GetMetricSpecResponse.ts";
import type { ProtoGrpcType } from "../../proto/generated/externalscaler.ts";
import { loadProto } from "../../runtime/grpc.ts";
import type { CertificatePair } from "./check-certificate.ts";
import { ourTrigger, type ScaledObject } from "./cluster-objects.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

const ANSWER_WITHIN_MS = 5000;

/** How KEDA connects, as far as it could be read. */
export interface ScalerTls {
  /** Null: no client certificate. */
  readonly pair: CertificatePair | null;
  readonly ca: string | null;
}

/**
 * Asks the scaler as KEDA does: its health, and the metric of this ScaledObject.
 *
 * @param tls null: plaintext.
 * @param namespaces that were seen in the cluster.
 */
export async function checkScaler(
  scaledObject: ScaledObject,
  tls: ScalerTls | null,
  namespaces: ReadonlySet<string>,
): Promise<readonly Finding[]> {
  const trigger = ourTrigger(scaledObject);
  const address = trigger?.metadata["scalerAddress"] ?? "";
  const where = `scaler ${address === "" ? "without an address" : address}`;
  if (address === "")
    return [fail("scaler", where, "the trigger has no `scalerAddress`", "add it: host:port of the scaler's KEDA port")];
  let channel: ChannelCredentials;
  try {
    channel = tls ? secure(tls) : credentials.createInsecure();
  } catch (error) {
    const { message } = VariscaleError.from(error);
    return [fail("scaler", where, `can't be asked with these certificates: ${message}`, "correct them first")];
  }
  try {
    await askHealth(address, channel);
  } catch (error) {
    return [unreachable(where, address, error as ServiceError, namespaces)];
  }
  const { ExternalScaler } = loadProto<ProtoGrpcType>("externalscaler.proto").externalscaler;
  const client = new ExternalScaler(address, channel);
  try {
    const { name, namespace } = scaledObject.metadata;
    const answer = await askSpec(client, { name, namespace, scalerMetadata: trigger?.metadata ?? {} });
    const [spec] = answer.metricSpecs;
    if (answer.metricSpecs.length === 1 && spec?.targetSizeFloat === 1)
      return [ok("scaler", where, `serves, and gives metric ${spec.metricName} for ${namespace}/${name}`)];
    return [
      fail("scaler", where, "gives no single metric with target 1: it is another scaler", "correct `scalerAddress`"),
    ];
  } catch (error) {
    const { details, code } = error as ServiceError;
    return [
      fail(
        "scaler",
        where,
        `refuses ${scaledObject.metadata.namespace}/${scaledObject.metadata.name}: ${details}`,
        code === status.INVALID_ARGUMENT
          ? "correct the trigger's metadata, or give the scaler the pipeline file that it names"
          : "see the scaler's log",
      ),
    ];
  } finally {
    client.close();
  }
}

function secure({ pair, ca }: ScalerTls): ChannelCredentials {
  const pem = (text: string | null | undefined) => (text ? Buffer.from(text) : null);
  return credentials.createSsl(pem(ca ?? pair?.ca), pem(pair?.key), pem(pair?.certificate));
}

/** `name`, `name.namespace` and `name.namespace.svc`: a second label that is no namespace may be a public name's. */
function isOfCluster(address: string, namespaces: ReadonlySet<string>): boolean {
  const [, namespace, ...rest] = address.replace(/:\d+$/, "").split(".");
  if (rest.length > 0) return rest.includes("svc");
  return namespace === undefined || namespaces.has(namespace);
}

function unreachable(where: string, address: string, error: ServiceError, namespaces: ReadonlySet<string>): Finding {
  // A name server that is slow, or answers nothing, lets the call end at its deadline while it still waits for the address.
  const codes: readonly status[] = [status.UNAVAILABLE, status.DEADLINE_EXCEEDED];
  const isUnresolved = codes.includes(error.code) && /name resolution|ENOTFOUND|EAI_AGAIN/i.test(error.details);
  if (isUnresolved && isOfCluster(address, namespaces))
    return warn(
      "scaler",
      where,
      "was not checked: its name is known in the cluster alone",
      "run doctor in a pod of the cluster to check it",
    );
  if (error.details === "NOT_SERVING")
    return fail("scaler", where, "is there and does not serve", "see its log and GET /readyz of its HTTP port");
  return fail(
    "scaler",
    where,
    `does not answer: ${error.details || error.message}`,
    "check that it runs, that its Service has endpoints, that NetworkPolicies let KEDA's operator in, and that both sides use TLS or neither does",
  );
}

async function askHealth(address: string, channel: ChannelCredentials): Promise<void> {
  const { Check } = healthService;
  if (!Check) throw new VariscaleError("internal", "grpc-health-check has no call Check");
  const client = new Client(address, channel);
  const deadline = Date.now() + ANSWER_WITHIN_MS;
  try {
    const answer = await new Promise<{ readonly status?: string } | undefined>((resolve, reject) =>
      client.makeUnaryRequest(
        Check.path,
        Check.requestSerialize,
        Check.responseDeserialize,
        { service: "externalscaler.ExternalScaler" },
        { deadline },
        (error, value) => (error ? reject(error) : resolve(value)),
      ),
    );
    if (answer?.status !== "SERVING") throw Object.assign(new Error(), { details: answer?.status ?? "" });
  } finally {
    client.close();
  }
}

function askSpec(
  client: ExternalScalerClient,
  ref: { readonly name: string; readonly namespace: string; readonly scalerMetadata: Record<string, string> },
): Promise<GetMetricSpecResponse__Output> {
  return new Promise((resolve, reject) =>
    client.GetMetricSpec(ref, { deadline: Date.now() + ANSWER_WITHIN_MS }, (error, value) =>
      error || !value ? reject(error) : resolve(value),
    ),
  );
}
