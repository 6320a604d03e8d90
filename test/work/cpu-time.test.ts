import assert from "node:assert/strict";
import { it } from "mocha";
import { readControls, timeoutOf } from "../../gateway/answer.ts";
import { readLoadTable } from "../../load/load-table.ts";
import { showsToken } from "../../runtime/bearer-token.ts";
import { namesNoForeignSite } from "../../runtime/loopback.ts";
import { UnrecordedSpan } from "../../runtime/tracing/tracing.ts";
import { Exposition } from "../../scaler/exposition.ts";
import { parseExactJson } from "../../variant-switcher/exact-json.ts";
import { numberPipeline } from "../gateway/number-pipeline.ts";
import { describeInOwnProcess } from "./own-process.ts";
import { CSV_TEXTS, fill, HEADERS_OF_REQUESTS, JSON_TEXTS, type Kinds, list } from "./texts.ts";

/** An input is read again until it takes so long, beside which the clock's steps and garbage count little. */
const LEAST_MS = 20;
const ROUNDS = 3;
/** Work in proportion to the input gives 4, and work in proportion to its square 16. */
const MOST_RATIO = 9;
const SIZE = 64 * 1024;

const LONG = "1234567890123456";
const EXACT_TEXTS: Kinds<string> = {
  ...JSON_TEXTS,
  "long numbers": bytes => list(LONG, bytes),
  "one long number": bytes => fill("1", bytes),
  "numbers with exponents": bytes => list(`${LONG}e`, bytes),
  "a text of quotes that does not end": bytes => `{"a":${LONG},"b":"${fill('\\"', bytes)}`,
  "a text of backslashes that does not end": bytes => `{"a":${LONG},"b":"${fill("\\", bytes)}`,
};

/** Steps of regular expressions are counted by nothing but the time that they take. */
describeInOwnProcess("regular expressions take time in proportion to what they read", import.meta.url, function () {
  this.timeout(120_000);
  const pipeline = numberPipeline();

  function each(what: string, kinds: Kinds<string>, read: (text: string) => unknown): void {
    it(what, () => {
      for (const [kind, make] of Object.entries(kinds)) {
        const ratio = measureRatio(make, read);
        assert.ok(ratio <= MOST_RATIO, `${kind}: ${ratio.toFixed(1)} times as long for four times as much`);
      }
    });
  }

  it("which is told from time in proportion to the square", () => {
    assert.ok(
      measureRatio(
        bytes => fill("a", bytes / 8),
        text => /(a+)b|$/.exec(text)?.[1],
      ) > MOST_RATIO,
    );
  });

  each("in exact JSON", EXACT_TEXTS, parseExactJson);
  each("in loads", CSV_TEXTS, text => readLoadTable(text, "load.csv", { column: null }));
  each("in headers", HEADERS_OF_REQUESTS, value => {
    const headers = { "x-variscale-variant": value, "x-request-timeout-ms": value, "x-request-id": value };
    UnrecordedSpan.passOn({ traceparent: value, tracestate: value });
    return [
      readControls(headers, pipeline),
      timeoutOf(headers, 1),
      namesNoForeignSite(value),
      showsToken(`Bearer ${value}`, "a token"),
    ];
  });
  each("in labels of metrics", { quotes: bytes => fill('"', bytes), lines: bytes => fill("\n", bytes) }, text => {
    const exposition = new Exposition();
    exposition.family("gauge", "a", "b", ["c"])([text], 1);
    return exposition.pieces();
  });
});

/** How many times as long an input of four times the size takes, by the round in which that was least. */
function measureRatio(make: (size: number) => string, read: (text: string) => unknown): number {
  const [small, large] = [make(SIZE), make(4 * SIZE)];
  let times = 1;
  while (measureMs(small, read, times) < LEAST_MS) times *= 2;
  const ratios = Array.from({ length: ROUNDS }, () => measureMs(large, read, times) / measureMs(small, read, times));
  return Math.min(...ratios);
}

function measureMs(text: string, read: (text: string) => unknown, times: number): number {
  const before = process.cpuUsage();
  for (let i = 0; i < times; i++)
    try {
      read(text);
    } catch {
      // An input that is refused was read as well.
    }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
