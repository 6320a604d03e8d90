import { VariscaleError } from "../../domain/errors.ts";
import { CLIP_SAMPLES, type Clip, SAMPLE_RATE } from "./clip.ts";
import { decodeWav } from "./wav.ts";

const CONTENT_TYPES = ["audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave", "application/octet-stream"];

/**
 * Decodes a recording to `CLIP_SAMPLES` samples; what is shorter is followed by silence.
 * @throws VariscaleError `invalid_argument` for anything but a whole WAV of the wanted form and length.
 */
export function decodeClip(body: Uint8Array, contentType: string): Clip {
  const type = contentType.split(";")[0]?.trim().toLowerCase() ?? "";
  if (type !== "" && !CONTENT_TYPES.includes(type)) {
    throw new VariscaleError(
      "invalid_argument",
      `content type \`${type.slice(0, 100)}\` is not one of ${CONTENT_TYPES.join(", ")}: send a WAV of a spoken command`,
    );
  }
  const samples = decodeWav(body);
  if (samples.length > CLIP_SAMPLES) {
    throw new VariscaleError(
      "invalid_argument",
      `the recording lasts ${(samples.length / SAMPLE_RATE).toFixed(1)} s: send one command of at most ${CLIP_SAMPLES / SAMPLE_RATE} s`,
    );
  }
  const clip = new Float32Array(CLIP_SAMPLES);
  clip.set(samples);
  return clip;
}
