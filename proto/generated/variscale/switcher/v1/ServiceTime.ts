// Original file: proto/switcher.proto

import type { Long } from '@grpc/proto-loader';

/**
 * Service time of one batch of `rows` rows of `variant`, cumulative since the switcher started.
 */
export interface ServiceTime {
  'variant'?: (string);
  'rows'?: (number);
  'batches'?: (number | string | Long);
  'totalMs'?: (number | string);
}

/**
 * Service time of one batch of `rows` rows of `variant`, cumulative since the switcher started.
 */
export interface ServiceTime__Output {
  'variant': (string);
  'rows': (number);
  'batches': (number);
  'totalMs': (number);
}
