import { randomUUID } from "node:crypto";
import { hostname, networkInterfaces } from "node:os";
import { VariscaleError } from "../../domain/errors.ts";
import type { ClusterOptions } from "../../scaler/cluster.ts";
import type { HighAvailabilityOptions } from "../../scaler/ha-options.ts";

export interface HighAvailabilityFlags {
  readonly host: string;
  readonly ha: "off" | "lease";
  readonly leaseName: string;
  readonly leaseNamespace?: string;
  readonly leaseDuration: number;
  readonly advertiseHost?: string;
}

/** Several scalers of the same pipelines, where `--ha` asks for them; null: this is the only one. Throws invalid_argument for flags that can't be. */
export async function readHighAvailability(
  flags: HighAvailabilityFlags,
  kubernetes: ClusterOptions | null,
): Promise<HighAvailabilityOptions | null> {
  if (flags.ha === "off") return null;
  if (kubernetes === null)
    throw new VariscaleError(
      "invalid_argument",
      "--ha lease needs a Kubernetes cluster: run it in a pod, or add --kubernetes on with a kubeconfig",
    );
  // It is the value of a label, too.
  if (!/^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/.test(flags.leaseName))
    throw new VariscaleError(
      "invalid_argument",
      `--lease-name ${flags.leaseName}: must have 63 lower-case letters, digits, \`-\` and \`.\` at most, and begin and end with one of the first two`,
    );
  const { leaseTimes } = await import("../../scaler/lease-elector.ts");
  const { config, instance } = kubernetes;
  return {
    config,
    namespace: flags.leaseNamespace ?? config.namespace,
    lease: flags.leaseName,
    identity: `${instance}_${randomUUID()}`,
    times: leaseTimes(1000 * flags.leaseDuration),
    advertiseHost: flags.advertiseHost ?? (process.env["POD_IP"] || ownAddress(flags.host)),
  };
}

/** The host that it listens on, where others can reach that. */
function ownAddress(host: string): string {
  if (host !== "0.0.0.0" && host !== "::") return host;
  const found = Object.values(networkInterfaces())
    .flat()
    .find(one => one?.internal === false && one.family === "IPv4");
  return found?.address ?? hostname();
}
