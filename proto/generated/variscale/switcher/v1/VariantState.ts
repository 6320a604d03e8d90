// Original file: proto/switcher.proto

import type { Long } from '@grpc/proto-loader';

export interface VariantState {
  'variant'?: (string);
  /**
   * absent | loading | resident | serving | quarantined
   */
  'state'?: (string);
  'reason'?: (string);
  'loadMs'?: (number | string);
  'memoryMib'?: (number | string);
  /**
   * Rows that the ladder would have chosen it for where the assignment says `shadow`, cumulative since the switcher started.
   */
  'shadowRows'?: (number | string | Long);
}

export interface VariantState__Output {
  'variant': (string);
  /**
   * absent | loading | resident | serving | quarantined
   */
  'state': (string);
  'reason': (string);
  'loadMs': (number);
  'memoryMib': (number);
  /**
   * Rows that the ladder would have chosen it for where the assignment says `shadow`, cumulative since the switcher started.
   */
  'shadowRows': (number);
}
