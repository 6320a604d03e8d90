import { reachedAt } from "../reached-at.ts";

export interface ScalerAddresses {
  /** URLs, from this machine. */
  readonly page: string;
  readonly api: string;
  readonly metrics: string;
  /** `host:port` of gRPC. */
  readonly keda: string;
  readonly switchers: string;
}

/** Where a scaler that listens on this host is reached from its machine. */
export function scalerAddresses(
  host: string,
  ports: { readonly keda: number; readonly switchers: number; readonly http: number },
): ScalerAddresses {
  const http = `http://${reachedAt(host, ports.http)}`;
  return {
    page: `${http}/`,
    api: `${http}/api/v1/pipelines`,
    metrics: `${http}/metrics`,
    keda: reachedAt(host, ports.keda),
    switchers: reachedAt(host, ports.switchers),
  };
}
