// Original file: proto/switcher.proto

import type { Assignment as _variscale_switcher_v1_Assignment, Assignment__Output as _variscale_switcher_v1_Assignment__Output } from '../../../variscale/switcher/v1/Assignment.ts';
import type { Redirect as _variscale_switcher_v1_Redirect, Redirect__Output as _variscale_switcher_v1_Redirect__Output } from '../../../variscale/switcher/v1/Redirect.ts';
import type { Drain as _variscale_switcher_v1_Drain, Drain__Output as _variscale_switcher_v1_Drain__Output } from '../../../variscale/switcher/v1/Drain.ts';
import type { ShowToken as _variscale_switcher_v1_ShowToken, ShowToken__Output as _variscale_switcher_v1_ShowToken__Output } from '../../../variscale/switcher/v1/ShowToken.ts';

export interface Directive {
  'assignment'?: (_variscale_switcher_v1_Assignment | null);
  'redirect'?: (_variscale_switcher_v1_Redirect | null);
  'drain'?: (_variscale_switcher_v1_Drain | null);
  'showToken'?: (_variscale_switcher_v1_ShowToken | null);
  'directive'?: "assignment"|"redirect"|"drain"|"showToken";
}

export interface Directive__Output {
  'assignment'?: (_variscale_switcher_v1_Assignment__Output | null);
  'redirect'?: (_variscale_switcher_v1_Redirect__Output | null);
  'drain'?: (_variscale_switcher_v1_Drain__Output | null);
  'showToken'?: (_variscale_switcher_v1_ShowToken__Output | null);
  'directive'?: "assignment"|"redirect"|"drain"|"showToken";
}
