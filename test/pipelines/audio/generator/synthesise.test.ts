import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { drawSpeaker, type Speaker } from "../../../../pipelines/audio/generator/speaker.ts";
import { levelOf, synthesise } from "../../../../pipelines/audio/generator/synthesise.ts";
import { createRandom } from "../../../../pipelines/random.ts";

const USUAL = drawSpeaker(createRandom(3), "usual");
const speak = (word: Parameters<typeof synthesise>[0], changes: Partial<Speaker> = {}): Float32Array =>
  synthesise(word, { ...USUAL, habits: new Map(), fall: 0, ...changes }, createRandom(4));

/** Power of the band around a frequency (hertz), by a single discrete Fourier coefficient every 10 Hz. */
function bandPower(samples: Float32Array, low: number, high: number): number {
  let sum = 0;
  for (let hertz = low; hertz < high; hertz += 10) {
    let [real, imaginary] = [0, 0];
    for (const [at, sample] of samples.entries()) {
      real += sample * Math.cos((2 * Math.PI * hertz * at) / 8000);
      imaginary += sample * Math.sin((2 * Math.PI * hertz * at) / 8000);
    }
    sum += real * real + imaginary * imaginary;
  }
  return sum;
}

const middle = (samples: Float32Array): Float32Array =>
  samples.subarray(Math.floor(samples.length * 0.35), Math.floor(samples.length * 0.65));

describe("synthesise()", () => {
  it("says words at one loudness", () => {
    for (const word of ["six", "on", "start"] as const) assert.ok(Math.abs(levelOf(speak(word)) - 0.1) < 1e-6);
  });

  it("has vowels with their formants: high second ones in front, low ones behind", () => {
    const [front, back] = [middle(speak("heat", { scale: 1 })), middle(speak("off", { scale: 1 }))];
    const brightness = (samples: Float32Array): number =>
      bandPower(samples, 1900, 2600) / bandPower(samples, 700, 1300);
    assert.ok(brightness(front) > 3 * brightness(back), `${brightness(front)} ${brightness(back)}`);
  });

  it("makes fricatives of noise high up, and plosives of silence", () => {
    const samples = speak("stop");
    const hiss = samples.subarray(0, 800);
    assert.ok(bandPower(hiss, 3000, 4000) > 5 * bandPower(hiss, 200, 1200));
    let quietest = 1;
    for (let at = 400; at + 160 < samples.length / 2; at += 80)
      quietest = Math.min(quietest, levelOf(samples.subarray(at, at + 160)));
    assert.ok(quietest < 0.005, `${quietest}`);
  });

  it("has the speaker's pitch, pace and size", () => {
    const low = middle(speak("four", { pitch: 100, breath: 0 }));
    assert.ok(bandPower(low, 190, 211) > 3 * bandPower(low, 140, 161));
    const high = middle(speak("four", { pitch: 150, breath: 0 }));
    assert.ok(bandPower(high, 140, 161) > 3 * bandPower(high, 190, 211));
    assert.ok(speak("four", { pace: 1.2 }).length > 1.2 * speak("four", { pace: 0.9 }).length);
    const centre = (samples: Float32Array): number => bandPower(samples, 2600, 3300) / bandPower(samples, 1900, 2600);
    assert.ok(centre(middle(speak("heat", { scale: 1.25 }))) > centre(middle(speak("heat", { scale: 0.95 }))));
  });
});
