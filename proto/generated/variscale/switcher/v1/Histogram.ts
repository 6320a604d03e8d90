// Original file: proto/switcher.proto

import type { Long } from '@grpc/proto-loader';

/**
 * Counts per bucket, cumulative since the switcher started; upper_bounds has one entry less than counts.
 */
export interface Histogram {
  'upperBounds'?: (number | string)[];
  'counts'?: (number | string | Long)[];
}

/**
 * Counts per bucket, cumulative since the switcher started; upper_bounds has one entry less than counts.
 */
export interface Histogram__Output {
  'upperBounds': (number)[];
  'counts': (number)[];
}
