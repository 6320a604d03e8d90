// Original file: proto/open_inference.proto

import type { InferStatistics as _inference_InferStatistics, InferStatistics__Output as _inference_InferStatistics__Output } from '../inference/InferStatistics.ts';
import type { InferBatchStatistics as _inference_InferBatchStatistics, InferBatchStatistics__Output as _inference_InferBatchStatistics__Output } from '../inference/InferBatchStatistics.ts';
import type { Long } from '@grpc/proto-loader';

export interface ModelStatistics {
  'name'?: (string);
  'version'?: (string);
  /**
   * Milliseconds since 1970; 0: never.
   */
  'lastInference'?: (number | string | Long);
  /**
   * Rows.
   */
  'inferenceCount'?: (number | string | Long);
  /**
   * Batches.
   */
  'executionCount'?: (number | string | Long);
  'inferenceStats'?: (_inference_InferStatistics | null);
  'batchStats'?: (_inference_InferBatchStatistics)[];
}

export interface ModelStatistics__Output {
  'name': (string);
  'version': (string);
  /**
   * Milliseconds since 1970; 0: never.
   */
  'lastInference': (string);
  /**
   * Rows.
   */
  'inferenceCount': (string);
  /**
   * Batches.
   */
  'executionCount': (string);
  'inferenceStats': (_inference_InferStatistics__Output | null);
  'batchStats': (_inference_InferBatchStatistics__Output)[];
}
