// Original file: proto/externalscaler.proto

import type { Long } from '@grpc/proto-loader';

export interface MetricSpec {
  'metricName'?: (string);
  /**
   * Read by KEDA before 2.17; later ones use it only where targetSizeFloat is not above zero.
   */
  'targetSize'?: (number | string | Long);
  'targetSizeFloat'?: (number | string);
}

export interface MetricSpec__Output {
  'metricName': (string);
  /**
   * Read by KEDA before 2.17; later ones use it only where targetSizeFloat is not above zero.
   */
  'targetSize': (number);
  'targetSizeFloat': (number);
}
