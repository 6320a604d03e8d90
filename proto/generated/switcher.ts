import type * as grpc from '@grpc/grpc-js';
import type { MessageTypeDefinition } from '@grpc/proto-loader';

import type { Ack as _variscale_switcher_v1_Ack, Ack__Output as _variscale_switcher_v1_Ack__Output } from './variscale/switcher/v1/Ack.ts';
import type { Assignment as _variscale_switcher_v1_Assignment, Assignment__Output as _variscale_switcher_v1_Assignment__Output } from './variscale/switcher/v1/Assignment.ts';
import type { Directive as _variscale_switcher_v1_Directive, Directive__Output as _variscale_switcher_v1_Directive__Output } from './variscale/switcher/v1/Directive.ts';
import type { Drain as _variscale_switcher_v1_Drain, Drain__Output as _variscale_switcher_v1_Drain__Output } from './variscale/switcher/v1/Drain.ts';
import type { Hello as _variscale_switcher_v1_Hello, Hello__Output as _variscale_switcher_v1_Hello__Output } from './variscale/switcher/v1/Hello.ts';
import type { Nack as _variscale_switcher_v1_Nack, Nack__Output as _variscale_switcher_v1_Nack__Output } from './variscale/switcher/v1/Nack.ts';
import type { Pin as _variscale_switcher_v1_Pin, Pin__Output as _variscale_switcher_v1_Pin__Output } from './variscale/switcher/v1/Pin.ts';
import type { Redirect as _variscale_switcher_v1_Redirect, Redirect__Output as _variscale_switcher_v1_Redirect__Output } from './variscale/switcher/v1/Redirect.ts';
import type { Rung as _variscale_switcher_v1_Rung, Rung__Output as _variscale_switcher_v1_Rung__Output } from './variscale/switcher/v1/Rung.ts';
import type { ServiceTime as _variscale_switcher_v1_ServiceTime, ServiceTime__Output as _variscale_switcher_v1_ServiceTime__Output } from './variscale/switcher/v1/ServiceTime.ts';
import type { ShowToken as _variscale_switcher_v1_ShowToken, ShowToken__Output as _variscale_switcher_v1_ShowToken__Output } from './variscale/switcher/v1/ShowToken.ts';
import type { Status as _variscale_switcher_v1_Status, Status__Output as _variscale_switcher_v1_Status__Output } from './variscale/switcher/v1/Status.ts';
import type { SwitcherControlClient as _variscale_switcher_v1_SwitcherControlClient, SwitcherControlDefinition as _variscale_switcher_v1_SwitcherControlDefinition } from './variscale/switcher/v1/SwitcherControl.ts';
import type { SwitcherReport as _variscale_switcher_v1_SwitcherReport, SwitcherReport__Output as _variscale_switcher_v1_SwitcherReport__Output } from './variscale/switcher/v1/SwitcherReport.ts';
import type { Token as _variscale_switcher_v1_Token, Token__Output as _variscale_switcher_v1_Token__Output } from './variscale/switcher/v1/Token.ts';
import type { VariantState as _variscale_switcher_v1_VariantState, VariantState__Output as _variscale_switcher_v1_VariantState__Output } from './variscale/switcher/v1/VariantState.ts';
import type { Version as _variscale_switcher_v1_Version, Version__Output as _variscale_switcher_v1_Version__Output } from './variscale/switcher/v1/Version.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  variscale: {
    switcher: {
      v1: {
        Ack: MessageTypeDefinition<_variscale_switcher_v1_Ack, _variscale_switcher_v1_Ack__Output>
        Assignment: MessageTypeDefinition<_variscale_switcher_v1_Assignment, _variscale_switcher_v1_Assignment__Output>
        Directive: MessageTypeDefinition<_variscale_switcher_v1_Directive, _variscale_switcher_v1_Directive__Output>
        Drain: MessageTypeDefinition<_variscale_switcher_v1_Drain, _variscale_switcher_v1_Drain__Output>
        Hello: MessageTypeDefinition<_variscale_switcher_v1_Hello, _variscale_switcher_v1_Hello__Output>
        Nack: MessageTypeDefinition<_variscale_switcher_v1_Nack, _variscale_switcher_v1_Nack__Output>
        Pin: MessageTypeDefinition<_variscale_switcher_v1_Pin, _variscale_switcher_v1_Pin__Output>
        Redirect: MessageTypeDefinition<_variscale_switcher_v1_Redirect, _variscale_switcher_v1_Redirect__Output>
        Rung: MessageTypeDefinition<_variscale_switcher_v1_Rung, _variscale_switcher_v1_Rung__Output>
        ServiceTime: MessageTypeDefinition<_variscale_switcher_v1_ServiceTime, _variscale_switcher_v1_ServiceTime__Output>
        ShowToken: MessageTypeDefinition<_variscale_switcher_v1_ShowToken, _variscale_switcher_v1_ShowToken__Output>
        Status: MessageTypeDefinition<_variscale_switcher_v1_Status, _variscale_switcher_v1_Status__Output>
        SwitcherControl: SubtypeConstructor<typeof grpc.Client, _variscale_switcher_v1_SwitcherControlClient> & { service: _variscale_switcher_v1_SwitcherControlDefinition }
        SwitcherReport: MessageTypeDefinition<_variscale_switcher_v1_SwitcherReport, _variscale_switcher_v1_SwitcherReport__Output>
        Token: MessageTypeDefinition<_variscale_switcher_v1_Token, _variscale_switcher_v1_Token__Output>
        VariantState: MessageTypeDefinition<_variscale_switcher_v1_VariantState, _variscale_switcher_v1_VariantState__Output>
        Version: MessageTypeDefinition<_variscale_switcher_v1_Version, _variscale_switcher_v1_Version__Output>
      }
    }
  }
}

