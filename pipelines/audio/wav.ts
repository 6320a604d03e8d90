import { VariscaleError } from "../../domain/errors.ts";
import { CLIP_SAMPLES, SAMPLE_RATE } from "./clip.ts";

const HEADER_BYTES = 44;
/** Format tags of WAVE (Microsoft and IBM 1991): linear PCM. */
const PCM = 1;
const FULL_SCALE = 32_768;

const ADVICE = `send a WAV of 16-bit PCM, one channel, ${SAMPLE_RATE} samples a second, at most ${CLIP_SAMPLES / SAMPLE_RATE} s`;

/** A RIFF WAVE file of 16-bit PCM, one channel, `SAMPLE_RATE`; samples beyond -1 to 1 are clipped. */
export function encodeWav(samples: Float32Array): Uint8Array {
  const dataBytes = samples.length * 2;
  const file = Buffer.alloc(HEADER_BYTES + dataBytes);
  file.write("RIFF", 0, "latin1");
  file.writeUInt32LE(HEADER_BYTES - 8 + dataBytes, 4);
  file.write("WAVEfmt ", 8, "latin1");
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(PCM, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(SAMPLE_RATE, 24);
  file.writeUInt32LE(SAMPLE_RATE * 2, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write("data", 36, "latin1");
  file.writeUInt32LE(dataBytes, 40);
  for (const [index, sample] of samples.entries()) {
    const level = Math.round(sample * FULL_SCALE);
    file.writeInt16LE(Math.max(-FULL_SCALE, Math.min(FULL_SCALE - 1, level)), HEADER_BYTES + 2 * index);
  }
  return file;
}

/**
 * The samples of a RIFF WAVE file, -1 to 1.
 * @throws VariscaleError `invalid_argument` for anything but what `ADVICE` asks for, and for files that were cut off.
 */
export function decodeWav(body: Uint8Array): Float32Array {
  const file = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (file.length < 12 || file.toString("latin1", 0, 4) !== "RIFF" || file.toString("latin1", 8, 12) !== "WAVE")
    throw invalid(file.length === 0 ? "the body is empty" : "the body is no RIFF WAVE file");
  let hasFormat = false;
  for (let at = 12; at + 8 <= file.length; ) {
    const kind = file.toString("latin1", at, at + 4);
    const size = file.readUInt32LE(at + 4);
    const start = at + 8;
    if (start + size > file.length)
      throw invalid(
        `the WAV was cut off: its \`${kind.trim()}\` chunk has ${size} bytes, ${file.length - start} are there`,
      );
    if (kind === "fmt ") {
      checkFormat(file.subarray(start, start + size));
      hasFormat = true;
    }
    if (kind === "data") {
      if (!hasFormat) throw invalid("the WAV has its data before its format");
      return samplesOf(file.subarray(start, start + size));
    }
    // Chunks start at even offsets.
    at = start + size + (size % 2);
  }
  throw invalid("the WAV has no data");
}

function checkFormat(format: Buffer): void {
  if (format.length < 16) throw invalid(`the WAV's format has ${format.length} bytes, not 16`);
  const tag = format.readUInt16LE(0);
  const channels = format.readUInt16LE(2);
  const rate = format.readUInt32LE(4);
  const bits = format.readUInt16LE(14);
  if (tag !== PCM || bits !== 16) throw invalid(`the WAV has format ${tag} with ${bits} bits, not 16-bit PCM (1)`);
  if (channels !== 1) throw invalid(`the WAV has ${channels} channels, not one`);
  if (rate !== SAMPLE_RATE) throw invalid(`the WAV has ${rate} samples a second, not ${SAMPLE_RATE}`);
}

function samplesOf(data: Buffer): Float32Array {
  if (data.length < 2) throw invalid("the WAV has no samples");
  const samples = new Float32Array(data.length >> 1);
  for (let index = 0; index < samples.length; index++) samples[index] = data.readInt16LE(2 * index) / FULL_SCALE;
  return samples;
}

function invalid(what: string): VariscaleError {
  return new VariscaleError("invalid_argument", `${what}: ${ADVICE}`);
}
