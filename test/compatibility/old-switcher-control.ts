import { loadPackageDefinition } from "@grpc/grpc-js";
import type { PackageDefinition } from "@grpc/proto-loader";
import type { ProtoGrpcType } from "../../proto/generated/switcher.ts";
import { loadProtoDefinition } from "../../runtime/grpc.ts";

const fixture = new URL("../fixtures/switcher-0.1.0.proto", import.meta.url).pathname;

/** The contract between scaler and switchers as version 0.1.0 had it. What was added since is no part of its messages. */
export const oldSwitcherDefinition: PackageDefinition = loadProtoDefinition(fixture);

export const OldSwitcherControl = (loadPackageDefinition(oldSwitcherDefinition) as unknown as ProtoGrpcType).variscale
  .switcher.v1.SwitcherControl;
