import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { KubernetesConfig } from "../runtime/kubernetes-config.ts";
import type { Clock } from "./clock.ts";
import type { LeaseTime } from "./lease-clock.ts";
import type { LeaseTimes } from "./lease-elector.ts";
import type { ProcessConditions } from "./process-conditions.ts";

export interface HighAvailabilityOptions {
  readonly config: KubernetesConfig;
  /** Where the Lease and the boards are. */
  readonly namespace: string;
  /** Name of the Lease, the same of all scalers of the same pipelines and of no others. */
  readonly lease: string;
  /** Of this process alone, and of no other before it. */
  readonly identity: string;
  readonly times: LeaseTimes;
  /** Under which other pods reach this one. */
  readonly advertiseHost: string;
  /** How long what is shared of a pipeline stays when that is gone. Default: ten minutes. */
  readonly keptMs?: number;
  /** Default: the clocks of the machine. */
  readonly time?: LeaseTime;
}

export interface HighAvailabilityContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly conditions: ProcessConditions;
  readonly prometheus: Registry;
  /** An answer that is older than that is not given to KEDA. */
  readonly staleAfterMs: number;
  /** Switchers belong to another now. */
  readonly onLost: () => void;
}
