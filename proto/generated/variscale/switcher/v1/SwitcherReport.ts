// Original file: proto/switcher.proto

import type { Hello as _variscale_switcher_v1_Hello, Hello__Output as _variscale_switcher_v1_Hello__Output } from '../../../variscale/switcher/v1/Hello.ts';
import type { Status as _variscale_switcher_v1_Status, Status__Output as _variscale_switcher_v1_Status__Output } from '../../../variscale/switcher/v1/Status.ts';
import type { Ack as _variscale_switcher_v1_Ack, Ack__Output as _variscale_switcher_v1_Ack__Output } from '../../../variscale/switcher/v1/Ack.ts';
import type { Nack as _variscale_switcher_v1_Nack, Nack__Output as _variscale_switcher_v1_Nack__Output } from '../../../variscale/switcher/v1/Nack.ts';
import type { Token as _variscale_switcher_v1_Token, Token__Output as _variscale_switcher_v1_Token__Output } from '../../../variscale/switcher/v1/Token.ts';

export interface SwitcherReport {
  'hello'?: (_variscale_switcher_v1_Hello | null);
  'status'?: (_variscale_switcher_v1_Status | null);
  'ack'?: (_variscale_switcher_v1_Ack | null);
  'nack'?: (_variscale_switcher_v1_Nack | null);
  'token'?: (_variscale_switcher_v1_Token | null);
  'report'?: "hello"|"status"|"ack"|"nack"|"token";
}

export interface SwitcherReport__Output {
  'hello'?: (_variscale_switcher_v1_Hello__Output | null);
  'status'?: (_variscale_switcher_v1_Status__Output | null);
  'ack'?: (_variscale_switcher_v1_Ack__Output | null);
  'nack'?: (_variscale_switcher_v1_Nack__Output | null);
  'token'?: (_variscale_switcher_v1_Token__Output | null);
  'report'?: "hello"|"status"|"ack"|"nack"|"token";
}
