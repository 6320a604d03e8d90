import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { Datatype } from "../../domain/tensor.ts";
import type { SessionReply, SessionRequest, TransferredTensor } from "../../variant-switcher/session-messages.ts";
import {
  type Alike,
  ReplyReader,
  ReplyWriter,
  RequestReader,
  RequestWriter,
} from "../../variant-switcher/session-wire.ts";

/** Few names, datatypes and dimensions, so that batches are often like those before, or nearly so. */
const tensor = fc.record({
  name: fc.constantFrom("x", "y"),
  datatype: fc.constantFrom<Datatype>("UINT8", "FP32"),
  shape: fc.oneof(
    { weight: 4, arbitrary: fc.tuple(fc.nat(9), fc.constantFrom(2, 3)) },
    { weight: 1, arbitrary: fc.array(fc.nat(3), { maxLength: 3 }) },
  ),
  bytes: fc.nat(64),
});
const tensors = fc.array(tensor, { maxLength: 2 });
const request = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("run"),
      inputs: tensors,
      outputs: fc.constantFrom(["y"], ["y", "z"], []),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "release" }) },
) as fc.Arbitrary<SessionRequest>;
const spare = fc.array(
  fc.nat(9).map(bytes => new ArrayBuffer(bytes)),
  { maxLength: 2 },
);
const reply = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant("ran"), outputs: tensors, spare, serviceMs: fc.double({ noNaN: true }) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "failed", message: "no" }) },
) as fc.Arbitrary<SessionReply>;

/** With data of its own, which goes with the message. */
const filled = (tensors: readonly TransferredTensor[]): TransferredTensor[] =>
  tensors.map(given => ({ ...given, data: Uint8Array.from({ length: 64 }, (_, i) => i + given.bytes).buffer }));

/** As a message that takes its buffers along. */
const sentOver = <T>(message: T, tensors: readonly TransferredTensor[]): T =>
  structuredClone(message, { transfer: tensors.map(({ data }) => data) });

const x = (rows: number): TransferredTensor => ({
  name: "x",
  datatype: "UINT8",
  shape: [rows, 2],
  bytes: 2 * rows,
  data: new ArrayBuffer(2 * rows),
});

describe("Messages of batches between threads", () => {
  it("tells a session what it was asked, whatever it was asked before", () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 8 }), requests => {
        const [writer, reader] = [new RequestWriter(), new RequestReader()];
        for (const given of requests) {
          const asked = given.kind === "run" ? { ...given, inputs: filled(given.inputs) } : given;
          const expected = structuredClone(asked);
          let told: SessionRequest | null = null;
          writer.send(asked, message => {
            told = reader.read(sentOver(message, asked.kind === "run" ? asked.inputs : []));
          });
          assert.deepEqual(told, expected);
        }
      }),
    );
  });

  it("gives what a session answered, whatever it answered before", () => {
    fc.assert(
      fc.property(fc.array(reply, { maxLength: 8 }), replies => {
        const [writer, reader] = [new ReplyWriter(), new ReplyReader()];
        for (const given of replies) {
          const answered = given.kind === "ran" ? { ...given, outputs: filled(given.outputs) } : given;
          const expected = structuredClone(answered);
          let told: SessionReply | null = null;
          writer.send(answered, message => {
            told = reader.read(sentOver(message, answered.kind === "ran" ? answered.outputs : []));
          });
          assert.deepEqual(told, expected);
        }
      }),
    );
  });

  it("does not repeat what has not changed", () => {
    const sent: (SessionRequest | SessionReply | Alike)[] = [];
    const [requests, replies] = [new RequestWriter(), new ReplyWriter()];
    for (const rows of [1, 2]) {
      requests.send({ kind: "run", inputs: [x(rows)], outputs: ["x"] }, message => sent.push(message));
      replies.send({ kind: "ran", outputs: [x(rows)], spare: [], serviceMs: 3 }, message => sent.push(message));
    }
    assert.deepEqual(sent.slice(2), [
      [2, 4, new ArrayBuffer(4)],
      [3, 2, 4, new ArrayBuffer(4)],
    ]);
  });

  it("does not give a tensor without dimensions one", () => {
    const scalar = { ...x(1), shape: [] };
    const [writer, reader] = [new ReplyWriter(), new ReplyReader()];
    for (let i = 0; i < 2; i++) {
      const ran = { kind: "ran", outputs: [scalar], spare: [], serviceMs: 3 } as const;
      writer.send(ran, message => assert.deepEqual(reader.read(message), ran));
    }
  });

  it("keeps no data of a batch in memory", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const ends = { requests: new RequestReader(), replies: new ReplyReader() };
    const read = (): WeakRef<ArrayBuffer>[] => {
      const [input, output] = [x(1), x(1)];
      ends.requests.read({ kind: "run", inputs: [input], outputs: ["x"] });
      ends.replies.read({ kind: "ran", outputs: [output], spare: [], serviceMs: 3 });
      return [new WeakRef(input.data), new WeakRef(output.data)];
    };
    const data = read();
    // Until the end of this turn what a WeakRef was made of stays.
    await setImmediate();
    collect();
    assert.deepEqual(
      data.map(ref => ref.deref()),
      [undefined, undefined],
    );
    assert.deepEqual(ends.requests.read([2, 4, x(2).data]), { kind: "run", inputs: [x(2)], outputs: ["x"] });
  });

  it("does not rely on what could not be sent", () => {
    const run = { kind: "run", inputs: [x(1)], outputs: ["x"] } as const;
    const ran = { kind: "ran", outputs: [x(1)], spare: [], serviceMs: 3 } as const;
    const [requests, replies] = [new RequestWriter(), new ReplyWriter()];
    const fail = (): never => {
      throw new Error("it can't be cloned");
    };
    assert.throws(() => requests.send(run, fail));
    assert.throws(() => replies.send(ran, fail));
    requests.send(run, message => assert.deepEqual(message, run));
    replies.send(ran, message => assert.deepEqual(message, ran));
  });
});
