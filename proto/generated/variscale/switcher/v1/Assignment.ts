// Original file: proto/switcher.proto

import type { Version as _variscale_switcher_v1_Version, Version__Output as _variscale_switcher_v1_Version__Output } from '../../../variscale/switcher/v1/Version.ts';
import type { Overload as _variscale_switcher_v1_Overload, Overload__Output as _variscale_switcher_v1_Overload__Output } from '../../../variscale/switcher/v1/Overload.ts';

export interface Assignment {
  'version'?: (_variscale_switcher_v1_Version | null);
  'variant'?: (string);
  /**
   * Largest number of rows in one batch.
   */
  'batch'?: (number);
  /**
   * How long an incomplete batch waits for more rows; 0: never wait.
   */
  'maxWaitMs'?: (number | string);
  /**
   * What the switcher may go to by itself when it is overloaded; kept resident.
   */
  'fallbackVariant'?: (string);
  'overload'?: (_variscale_switcher_v1_Overload | null);
  /**
   * For the logs and the explanation of the decision.
   */
  'decisionId'?: (string);
}

export interface Assignment__Output {
  'version': (_variscale_switcher_v1_Version__Output | null);
  'variant': (string);
  /**
   * Largest number of rows in one batch.
   */
  'batch': (number);
  /**
   * How long an incomplete batch waits for more rows; 0: never wait.
   */
  'maxWaitMs': (number);
  /**
   * What the switcher may go to by itself when it is overloaded; kept resident.
   */
  'fallbackVariant': (string);
  'overload': (_variscale_switcher_v1_Overload__Output | null);
  /**
   * For the logs and the explanation of the decision.
   */
  'decisionId': (string);
}
