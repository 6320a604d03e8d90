// Original file: proto/switcher.proto

import type { Version as _variscale_switcher_v1_Version, Version__Output as _variscale_switcher_v1_Version__Output } from '../../../variscale/switcher/v1/Version.ts';

export interface Hello {
  /**
   * Protocol versions the switcher speaks; the scaler picks the highest it knows, or refuses with FAILED_PRECONDITION.
   */
  'protocolVersions'?: (number)[];
  'namespace'?: (string);
  'pipeline'?: (string);
  'stage'?: (string);
  /**
   * Unique among the stage's replicas: the pod's name in Kubernetes.
   */
  'pod'?: (string);
  /**
   * host:port of the Open Inference Protocol REST server, as gateways reach it.
   */
  'address'?: (string);
  'softwareVersion'?: (string);
  'cores'?: (number | string);
  'memoryMib'?: (number | string);
  /**
   * What it serves now: after a reconnect this is what an earlier assignment said.
   */
  'applied'?: (_variscale_switcher_v1_Version | null);
  /**
   * The most accurate variant that serves.
   */
  'variant'?: (string);
  'residentVariants'?: (string)[];
  'ready'?: (boolean);
  /**
   * Can't be loaded now: there is no model file of theirs in the model folder. Earlier versions don't say.
   */
  'missingVariants'?: (string)[];
}

export interface Hello__Output {
  /**
   * Protocol versions the switcher speaks; the scaler picks the highest it knows, or refuses with FAILED_PRECONDITION.
   */
  'protocolVersions': (number)[];
  'namespace': (string);
  'pipeline': (string);
  'stage': (string);
  /**
   * Unique among the stage's replicas: the pod's name in Kubernetes.
   */
  'pod': (string);
  /**
   * host:port of the Open Inference Protocol REST server, as gateways reach it.
   */
  'address': (string);
  'softwareVersion': (string);
  'cores': (number);
  'memoryMib': (number);
  /**
   * What it serves now: after a reconnect this is what an earlier assignment said.
   */
  'applied': (_variscale_switcher_v1_Version__Output | null);
  /**
   * The most accurate variant that serves.
   */
  'variant': (string);
  'residentVariants': (string)[];
  'ready': (boolean);
  /**
   * Can't be loaded now: there is no model file of theirs in the model folder. Earlier versions don't say.
   */
  'missingVariants': (string)[];
}
