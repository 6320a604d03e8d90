// Original file: proto/switcher.proto

import type { Version as _variscale_switcher_v1_Version, Version__Output as _variscale_switcher_v1_Version__Output } from '../../../variscale/switcher/v1/Version.ts';

export interface Nack {
  'version'?: (_variscale_switcher_v1_Version | null);
  /**
   * Closed set: stale_version | unknown_variant | model_missing | sha256_mismatch | model_invalid | contract_mismatch |
   * golden_mismatch | memory_short | pinned | superseded | shutting_down | internal
   */
  'code'?: (string);
  'message'?: (string);
  /**
   * The rung that can't be served; empty: the top.
   */
  'variant'?: (string);
}

export interface Nack__Output {
  'version': (_variscale_switcher_v1_Version__Output | null);
  /**
   * Closed set: stale_version | unknown_variant | model_missing | sha256_mismatch | model_invalid | contract_mismatch |
   * golden_mismatch | memory_short | pinned | superseded | shutting_down | internal
   */
  'code': (string);
  'message': (string);
  /**
   * The rung that can't be served; empty: the top.
   */
  'variant': (string);
}
