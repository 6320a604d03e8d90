// Original file: proto/switcher.proto

import type { Long } from '@grpc/proto-loader';

/**
 * Orders assignments. A higher epoch (a later leader) always wins; within an epoch the higher counter wins.
 */
export interface Version {
  'epoch'?: (number | string | Long);
  'counter'?: (number | string | Long);
}

/**
 * Orders assignments. A higher epoch (a later leader) always wins; within an epoch the higher counter wins.
 */
export interface Version__Output {
  'epoch': (number);
  'counter': (number);
}
