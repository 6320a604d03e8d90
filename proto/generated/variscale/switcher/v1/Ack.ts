// Original file: proto/switcher.proto

import type { Version as _variscale_switcher_v1_Version, Version__Output as _variscale_switcher_v1_Version__Output } from '../../../variscale/switcher/v1/Version.ts';

export interface Ack {
  'version'?: (_variscale_switcher_v1_Version | null);
  'switchMs'?: (number | string);
}

export interface Ack__Output {
  'version': (_variscale_switcher_v1_Version__Output | null);
  'switchMs': (number);
}
