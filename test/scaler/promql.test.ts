import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { isSeriesSelector } from "../../domain/load-query.ts";
import { gatewayCounter } from "../../scaler/promql.ts";

describe("gatewayCounter()", () => {
  it("selects the gateway's counter of one pipeline, whatever its name is", () => {
    assert.deepEqual(gatewayCounter({ namespace: "shop", name: "cards.v2" }), {
      kind: "counter",
      selector: 'variscale_gateway_offered_requests_total{namespace="shop",pipeline="cards.v2"}',
    });
    const odd = gatewayCounter({ namespace: 'a"b\\c\nd', name: "{}=,~'`" });
    assert.ok(odd.kind === "counter" && isSeriesSelector(odd.selector));
    assert.equal(
      odd.selector,
      `variscale_gateway_offered_requests_total{namespace="a\\"b\\\\c\\nd",pipeline="{}=,~'\`"}`,
    );
  });
});
