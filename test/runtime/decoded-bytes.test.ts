import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import protobuf from "protobufjs";
import type { ProtoGrpcType as KedaProto } from "../../proto/generated/externalscaler.ts";
import type { ProtoGrpcType as InferenceProto } from "../../proto/generated/open_inference.ts";
import type { ProtoGrpcType as SwitcherProto } from "../../proto/generated/switcher.ts";
import { estimateDecodedBytes, TooManyObjects } from "../../runtime/decoded-bytes.ts";
import { loadProto, protoPath } from "../../runtime/grpc.ts";

const LIMITS = { objects: 262_144, entries: { inputs: 64, outputs: 64, rawInputContents: 64 } };
const findType = (file: Parameters<typeof protoPath>[0], name: string) =>
  protobuf.loadSync(protoPath(file)).resolveAll().lookupType(name);
const INFER = findType("open_inference.proto", "inference.ModelInferRequest");
const estimate = (bytes: Buffer, limits: typeof LIMITS | { objects: number } = LIMITS) =>
  estimateDecodedBytes(INFER, bytes, limits);
const infer = (value: object) => Buffer.from(INFER.encode(INFER.fromObject(value)).finish());
const repeat = (bytes: readonly number[], times: number) => Buffer.concat(Array(times).fill(Buffer.from(bytes)));

describe("estimateDecodedBytes()", () => {
  it("finds raw contents to take little beside their bytes, and typed ones as much as their arrays", () => {
    const raw = infer({
      modelName: "m",
      inputs: [{ name: "x", shape: [1, 2] }],
      rawInputContents: [Buffer.alloc(1e6)],
    });
    assert.ok(estimate(raw) < 4096);
    const typed = infer({ inputs: [{ contents: { fp32Contents: Array(100_000).fill(1) } }] });
    assert.ok(estimate(typed) > 8 * 100_000);
  });

  it("refuses 300,000 empty inputs, outputs or raw contents without making one", () => {
    for (const [tag, name] of [
      [0x2a, "inputs"],
      [0x32, "outputs"],
      [0x3a, "rawInputContents"],
    ] as const)
      assert.throws(() => estimate(repeat([tag, 0], 300_000)), {
        message: `the message has more than 64 entries in \`${name}\``,
      });
    assert.ok(estimate(repeat([0x2a, 0], 64)) < 64 * 1024);
  });

  it("refuses objects beyond the limit wherever they are nested", () => {
    const contents = repeat([0x42, 0], 300_000);
    const inner = Buffer.from([0x2a, ...varint(contents.length)]);
    const input = Buffer.concat([inner, contents]);
    assert.throws(() => estimate(Buffer.concat([Buffer.from([0x2a, ...varint(input.length)]), input])), TooManyObjects);
    assert.throws(() => estimate(repeat([0x22, 0], 300_000)), TooManyObjects);
  });

  it("takes less work than there are bytes, whatever the message: each field is looked at once", () => {
    for (const [type, decode] of messageTypes())
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 400 }), bytes => {
          let steps = 0;
          const { fieldsById } = type;
          const counting = new Proxy(type, {
            get: (target, key, receiver) => {
              if (key !== "fieldsById") return Reflect.get(target, key, receiver);
              steps++;
              return fieldsById;
            },
          });
          let estimated: number | null = null;
          try {
            estimated = estimateDecodedBytes(counting, bytes, { objects: 1000 });
          } catch (error) {
            assert.ok(error instanceof Error);
          }
          assert.ok(steps <= bytes.length);
          if (estimated === null) return;
          try {
            const made = JSON.stringify(decode(Buffer.from(bytes))).length;
            assert.ok(made <= 8 * estimated + 2048, `${made} characters, ${estimated} estimated`);
          } catch (error) {
            assert.ok(error instanceof Error && !(error instanceof assert.AssertionError), String(error));
          }
        }),
      );
  });
});

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}

function messageTypes(): readonly (readonly [protobuf.Type, (bytes: Buffer) => unknown])[] {
  const { ExternalScaler } = loadProto<KedaProto>("externalscaler.proto").externalscaler;
  const { GRPCInferenceService } = loadProto<InferenceProto>("open_inference.proto").inference;
  const { SwitcherControl } = loadProto<SwitcherProto>("switcher.proto").variscale.switcher.v1;
  const services = [
    ["externalscaler.proto", "externalscaler.ExternalScaler", ExternalScaler.service],
    ["open_inference.proto", "inference.GRPCInferenceService", GRPCInferenceService.service],
    ["switcher.proto", "variscale.switcher.v1.SwitcherControl", SwitcherControl.service],
  ] as const;
  return services.flatMap(([file, name, definition]) => {
    const service = protobuf.loadSync(protoPath(file)).resolveAll().lookupService(name);
    return Object.values(definition).map(({ path, requestDeserialize }) => {
      const type = service.methods[path.slice(path.lastIndexOf("/") + 1)]?.resolvedRequestType;
      assert.ok(type);
      return [type, requestDeserialize] as const;
    });
  });
}
