import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { VariscaleError } from "../../../domain/errors.ts";
import { decodeClip } from "../../../pipelines/audio/decode.ts";
import { decodeWav, encodeWav } from "../../../pipelines/audio/wav.ts";

const tone = (length: number): Float32Array => Float32Array.from({ length }, (_, at) => 0.5 * Math.sin(at / 3));

function isInvalid(message: RegExp) {
  return (error: unknown): boolean =>
    error instanceof VariscaleError && error.code === "invalid_argument" && message.test(error.message);
}

/** The bytes of a WAV after a change. */
function changed(change: (file: Buffer) => void): Buffer {
  const file = Buffer.from(encodeWav(tone(100)));
  change(file);
  return file;
}

describe("encodeWav() and decodeWav()", () => {
  it("keep samples to 16 bits, and clip what is too loud", () => {
    const samples = tone(1000);
    const again = decodeWav(encodeWav(samples));
    assert.equal(again.length, 1000);
    for (const [index, sample] of samples.entries()) assert.ok(Math.abs(sample - (again[index] ?? 9)) <= 1 / 65_536);
    assert.deepEqual([...decodeWav(encodeWav(Float32Array.of(2, -2)))], [32_767 / 32_768, -1]);
  });

  it("pass over chunks that are not needed", () => {
    const file = Buffer.from(encodeWav(tone(10)));
    const list = Buffer.from("LIST\x03\x00\x00\x00abc\x00", "latin1");
    assert.deepEqual(decodeWav(Buffer.concat([file.subarray(0, 36), list, file.subarray(36)])), decodeWav(file));
  });
});

describe("decodeClip()", () => {
  it("gives 3 s, with silence after what is shorter", () => {
    const clip = decodeClip(encodeWav(tone(8000)), "audio/wav");
    assert.equal(clip.length, 24_000);
    assert.ok(Math.abs((clip[100] ?? 0) - 0.5 * Math.sin(100 / 3)) < 1e-4);
    assert.ok(clip.subarray(8000).every(sample => sample === 0));
    assert.equal(decodeClip(encodeWav(tone(24_000)), "application/octet-stream").length, 24_000);
  });

  it("says what is wrong with a body, and what to send", () => {
    const wav = encodeWav(tone(100));
    const bad: readonly (readonly [Uint8Array, RegExp])[] = [
      [Buffer.of(), /body is empty: send a WAV of 16-bit PCM/],
      [Buffer.from("hello, this is no sound"), /no RIFF WAVE/],
      [wav.subarray(0, 150), /cut off: its `data` chunk has 200 bytes, 106 are there/],
      [wav.subarray(0, 36), /has no data/],
      [changed(file => file.writeUInt16LE(2, 22)), /2 channels/],
      [changed(file => file.writeUInt32LE(16_000, 24)), /16000 samples a second, not 8000/],
      [changed(file => file.writeUInt16LE(8, 34)), /8 bits/],
      [changed(file => file.writeUInt16LE(7, 20)), /format 7/],
      [changed(file => file.write("junk", 12, "latin1")), /data before its format/],
      [encodeWav(tone(0)), /no samples/],
      [encodeWav(tone(24_001)), /lasts 3\.0 s: send one command of at most 3 s/],
    ];
    for (const [body, message] of bad) assert.throws(() => decodeClip(body, "audio/wav"), isInvalid(message));
    assert.throws(() => decodeClip(wav, "image/png"), isInvalid(/content type `image\/png`/));
  });
});
