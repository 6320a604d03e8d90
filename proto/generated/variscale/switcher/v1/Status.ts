// Original file: proto/switcher.proto

import type { Version as _variscale_switcher_v1_Version, Version__Output as _variscale_switcher_v1_Version__Output } from '../../../variscale/switcher/v1/Version.ts';
import type { Pin as _variscale_switcher_v1_Pin, Pin__Output as _variscale_switcher_v1_Pin__Output } from '../../../variscale/switcher/v1/Pin.ts';
import type { ServiceTime as _variscale_switcher_v1_ServiceTime, ServiceTime__Output as _variscale_switcher_v1_ServiceTime__Output } from '../../../variscale/switcher/v1/ServiceTime.ts';
import type { VariantState as _variscale_switcher_v1_VariantState, VariantState__Output as _variscale_switcher_v1_VariantState__Output } from '../../../variscale/switcher/v1/VariantState.ts';
import type { Long } from '@grpc/proto-loader';

/**
 * Once a second.
 */
export interface Status {
  /**
   * Zero before the first assignment.
   */
  'applied'?: (_variscale_switcher_v1_Version | null);
  /**
   * The most accurate variant that serves, and its largest batch.
   */
  'variant'?: (string);
  'batch'?: (number);
  'ready'?: (boolean);
  /**
   * Loaded and warm, so that a Switch to them takes milliseconds.
   */
  'residentVariants'?: (string)[];
  /**
   * A pin of the admin endpoint: the scaler must plan around it.
   */
  'pin'?: (_variscale_switcher_v1_Pin | null);
  'queuedRows'?: (number);
  /**
   * Age of the oldest row in the queue; 0 when it is empty.
   */
  'queueAgeMs'?: (number | string);
  /**
   * Cumulative since the switcher started, so that a lost report loses nothing.
   */
  'offeredRows'?: (number | string | Long);
  'servedRows'?: (number | string | Long);
  'droppedRows'?: (number | string | Long);
  'switches'?: (number | string | Long);
  'memoryMib'?: (number | string);
  'serviceTimes'?: (_variscale_switcher_v1_ServiceTime)[];
  'variants'?: (_variscale_switcher_v1_VariantState)[];
  /**
   * Can't be loaded now: there is no model file of theirs in the model folder. Earlier versions don't say.
   */
  'missingVariants'?: (string)[];
  /**
   * Batches take so many times what was measured of their variants, from 0.5 to 4, and so many batches have told it, cumulative since the switcher
   * started. Earlier versions don't say.
   */
  'timeFactor'?: (number | string);
  'timedBatches'?: (number | string | Long);
}

/**
 * Once a second.
 */
export interface Status__Output {
  /**
   * Zero before the first assignment.
   */
  'applied': (_variscale_switcher_v1_Version__Output | null);
  /**
   * The most accurate variant that serves, and its largest batch.
   */
  'variant': (string);
  'batch': (number);
  'ready': (boolean);
  /**
   * Loaded and warm, so that a Switch to them takes milliseconds.
   */
  'residentVariants': (string)[];
  /**
   * A pin of the admin endpoint: the scaler must plan around it.
   */
  'pin': (_variscale_switcher_v1_Pin__Output | null);
  'queuedRows': (number);
  /**
   * Age of the oldest row in the queue; 0 when it is empty.
   */
  'queueAgeMs': (number);
  /**
   * Cumulative since the switcher started, so that a lost report loses nothing.
   */
  'offeredRows': (number);
  'servedRows': (number);
  'droppedRows': (number);
  'switches': (number);
  'memoryMib': (number);
  'serviceTimes': (_variscale_switcher_v1_ServiceTime__Output)[];
  'variants': (_variscale_switcher_v1_VariantState__Output)[];
  /**
   * Can't be loaded now: there is no model file of theirs in the model folder. Earlier versions don't say.
   */
  'missingVariants': (string)[];
  /**
   * Batches take so many times what was measured of their variants, from 0.5 to 4, and so many batches have told it, cumulative since the switcher
   * started. Earlier versions don't say.
   */
  'timeFactor': (number);
  'timedBatches': (number);
}
