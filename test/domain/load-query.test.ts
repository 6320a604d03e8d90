import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { isSeriesSelector } from "../../domain/load-query.ts";

describe("isSeriesSelector()", () => {
  it("takes names and matchers", () => {
    for (const text of [
      "http_requests_total",
      "job:requests:total",
      ' http_requests_total { job="shop", path=~"/a|/b" } ',
      '{__name__="x"}',
      '{"with.dots", job="x"}',
      'x{a=\'}\', b=`\\{`, c="\\"}"}',
      'x{\n  a="1",\n  b="2"\n}',
    ])
      assert.ok(isSeriesSelector(text), text);
  });

  it("refuses everything that does more than select", () => {
    for (const text of [
      "",
      "  ",
      "rate(x[1m])",
      "x[5m]",
      "x offset 5m",
      "x @ 5",
      "x + y",
      "sum(x)",
      'x{a="1"',
      'x{a="}',
      "1",
      'x{a="1"}[1m]',
      "x{}{}",
      `${" ".repeat(2000)}!`,
      `x${" ".repeat(4000)}!`,
    ])
      assert.ok(!isSeriesSelector(text), text);
  });
});
