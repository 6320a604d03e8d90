import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type GrpcObject, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync, type PackageDefinition } from "@grpc/proto-loader";

/** Compiled code runs from dist/runtime, beside dist/proto. */
const protoFolder = join(dirname(dirname(fileURLToPath(import.meta.url))), "proto");

export type ProtoFile = "externalscaler.proto" | "switcher.proto" | "open_inference.proto";

export function protoPath(fileName: ProtoFile): string {
  return join(protoFolder, fileName);
}

/** Loads one of our .proto files, with the options that proto/generated was made with (scripts/generate-proto.mjs). */
export function loadProto<T>(fileName: ProtoFile): T {
  const found = loadedProtos.get(fileName) ?? loadPackageDefinition(loadProtoDefinition(fileName));
  loadedProtos.set(fileName, found);
  return found as T;
}

/** A file is parsed once: a switcher asks for it at every reconnect. */
const loadedProtos = new Map<ProtoFile, GrpcObject>();

/** Loads a .proto file as gRPC reflection needs it: with what its messages and services are made of. */
export function loadProtoDefinition(fileName: string): PackageDefinition {
  // Tensors have 64-bit integers, of which a Number would lose digits.
  const longs = fileName === ("open_inference.proto" satisfies ProtoFile) ? String : Number;
  return loadSync(resolve(protoFolder, fileName), { longs, enums: String, defaults: true, oneofs: true });
}
