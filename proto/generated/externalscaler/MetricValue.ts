// Original file: proto/externalscaler.proto

import type { Long } from '@grpc/proto-loader';

export interface MetricValue {
  'metricName'?: (string);
  /**
   * Read by KEDA before 2.17; later ones use it only where metricValueFloat is not above zero.
   */
  'metricValue'?: (number | string | Long);
  'metricValueFloat'?: (number | string);
}

export interface MetricValue__Output {
  'metricName': (string);
  /**
   * Read by KEDA before 2.17; later ones use it only where metricValueFloat is not above zero.
   */
  'metricValue': (number);
  'metricValueFloat': (number);
}
