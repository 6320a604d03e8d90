// Original file: proto/switcher.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { Directive as _variscale_switcher_v1_Directive, Directive__Output as _variscale_switcher_v1_Directive__Output } from '../../../variscale/switcher/v1/Directive.ts';
import type { SwitcherReport as _variscale_switcher_v1_SwitcherReport, SwitcherReport__Output as _variscale_switcher_v1_SwitcherReport__Output } from '../../../variscale/switcher/v1/SwitcherReport.ts';

export interface SwitcherControlClient extends grpc.Client {
  /**
   * One stream per switcher for as long as it lives. The switcher speaks first, with `hello`; the scaler answers with an
   * assignment, or with a redirect where it is not the leader. A switcher that loses the stream keeps serving and
   * reconnects with back-off.
   */
  Follow(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_variscale_switcher_v1_SwitcherReport, _variscale_switcher_v1_Directive__Output>;
  Follow(options?: grpc.CallOptions): grpc.ClientDuplexStream<_variscale_switcher_v1_SwitcherReport, _variscale_switcher_v1_Directive__Output>;
  /**
   * One stream per switcher for as long as it lives. The switcher speaks first, with `hello`; the scaler answers with an
   * assignment, or with a redirect where it is not the leader. A switcher that loses the stream keeps serving and
   * reconnects with back-off.
   */
  follow(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_variscale_switcher_v1_SwitcherReport, _variscale_switcher_v1_Directive__Output>;
  follow(options?: grpc.CallOptions): grpc.ClientDuplexStream<_variscale_switcher_v1_SwitcherReport, _variscale_switcher_v1_Directive__Output>;
  
}

export interface SwitcherControlHandlers extends grpc.UntypedServiceImplementation {
  /**
   * One stream per switcher for as long as it lives. The switcher speaks first, with `hello`; the scaler answers with an
   * assignment, or with a redirect where it is not the leader. A switcher that loses the stream keeps serving and
   * reconnects with back-off.
   */
  Follow: grpc.handleBidiStreamingCall<_variscale_switcher_v1_SwitcherReport__Output, _variscale_switcher_v1_Directive>;
  
}

export interface SwitcherControlDefinition extends grpc.ServiceDefinition {
  Follow: MethodDefinition<_variscale_switcher_v1_SwitcherReport, _variscale_switcher_v1_Directive, _variscale_switcher_v1_SwitcherReport__Output, _variscale_switcher_v1_Directive__Output>
}
