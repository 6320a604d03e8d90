/**
 * Writes training data: `node dist/pipelines/audio/training/write-windows.js FOLDER COUNT SEED`.
 * clips.i16 holds one clip after the other (24,000 samples) and voice.u8 where there are words on each (150 bytes, 0 or 1);
 * windows.i16 holds windows of words and of what is none (6400 samples), classes.u8 their classes.
 */
import { mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createRandom, type Random } from "../../random.ts";
import { CLIP_SAMPLES, SAMPLE_RATE } from "../clip.ts";
import { type RenderedClip, renderClip } from "../generator/render-clip.ts";
import { overlap, type Span } from "../span.ts";
import { cutWindow, MARGINS } from "../stages/keyword-window.ts";
import { VOICE_STEP, VOICE_STEPS } from "../stages/voice-segments.ts";
import { CLASS_COUNT, WORDS } from "../vocabulary.ts";

/** Windows of one word, each with another end. */
const WINDOWS = 2;
/** How far detectors are off, at the most; seconds. */
const OFF = 0.07;
const NO_WORD = CLASS_COUNT - 1;

const [folder = "windows", count = "10", seed = "1"] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const clips = openSync(join(folder, "clips.i16"), "w");
const windows = openSync(join(folder, "windows.i16"), "w");
const voice: Buffer[] = [];
const classes: number[] = [];
for (let i = 0; i < Number(count); i++) {
  const rendered = renderClip(Number(seed) + i);
  const { clip, label } = rendered;
  writeSync(clips, toBytes(clip));
  voice.push(Buffer.from(Array.from({ length: VOICE_STEPS }, (_, at) => (isWord(rendered, at) ? 1 : 0))));
  const random = createRandom(-(Number(seed) + i));
  for (const { word, start, end } of label.words)
    for (let window = 0; window < WINDOWS; window++)
      write(clip, move(random, { start, end }), WORDS.indexOf(word), random);
  for (const span of othersOf(random, rendered)) write(clip, move(random, span), NO_WORD, random);
}
writeFileSync(join(folder, "voice.u8"), Buffer.concat(voice));
writeFileSync(join(folder, "classes.u8"), Uint8Array.from(classes));

function write(clip: Float32Array, span: Span, index: number, random: Random): void {
  writeSync(windows, toBytes(cutWindow(clip, span, random.pick(MARGINS))));
  classes.push(index);
}

function isWord({ label }: RenderedClip, at: number): boolean {
  const middle = (at + 0.5) * VOICE_STEP;
  return label.words.some(({ start, end }) => start <= middle && middle < end);
}

/** The stretch itself, off by as much as detectors are. */
function move(random: Random, { start, end }: Span): Span {
  return { start: start + random.uniform(-OFF, OFF), end: end + random.uniform(-OFF, OFF) };
}

/** What detectors may take for words: every event, and now and then the background. */
function othersOf(random: Random, { label, events }: RenderedClip): readonly Span[] {
  const start = random.uniform(0, CLIP_SAMPLES / SAMPLE_RATE - 0.5);
  const background: Span = { start, end: start + random.uniform(0.1, 0.5) };
  const isFree = random.chance(0.4) && [...label.words, ...events].every(span => overlap(span, background) === 0);
  return isFree ? [...events, background] : events;
}

function toBytes(samples: Float32Array): Uint8Array {
  const levels = Int16Array.from(samples, sample => Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_768))));
  return new Uint8Array(levels.buffer);
}
