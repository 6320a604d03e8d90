import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { parsePrometheusUrl } from "../../scaler/prometheus-options.ts";

describe("parsePrometheusUrl()", () => {
  it("fills in the defaults", () => {
    assert.deepEqual(parsePrometheusUrl("prometheus+http://prometheus:9090", null), {
      kind: "prometheus",
      url: "http://prometheus:9090",
      bearerTokenFile: null,
      basicAuth: null,
      caFile: null,
      tenant: null,
      timeoutMs: 5000,
      backfillMs: 3_600_000,
      stepMs: 5000,
    });
  });

  it("takes a path and options", () => {
    const text =
      "prometheus+https://host/prom/?caFile=/etc/ca.pem&bearerTokenFile=/run/token&tenant=a|b&timeoutMs=900&backfillMs=0&stepMs=10000";
    const options = parsePrometheusUrl(text, null);
    assert.equal(options.url, "https://host/prom");
    assert.equal(options.caFile, "/etc/ca.pem");
    assert.equal(options.bearerTokenFile, "/run/token");
    assert.equal(options.tenant, "a|b");
    assert.deepEqual([options.timeoutMs, options.backfillMs, options.stepMs], [900, 0, 10_000]);
  });

  it("says what is wrong, and never shows a password", () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ["", /is no address/],
      ["ftp://x", /is no address/],
      ["http://x#y", /is no address/],
      ["http://me:secret@x", /must not stand in the address/],
      ["http://me:secret@:x:", /is no address/],
      ["http://x?timeout=5", /no option `timeout`: it is one of timeoutMs/],
      ["http://x?tenant=a&tenant=b", /`tenant` is given more than once/],
      ["http://x?tenant=", /`tenant` is empty/],
      ["http://x?tenant=a%20b", /printable ASCII/],
      ["http://x?timeoutMs=5s", /`timeoutMs` is `5s`: must be whole milliseconds from 100 to 60000/],
      ["http://x?timeoutMs=99", /from 100/],
      ["http://x?stepMs=1500", /in steps of 1000/],
      ["http://x?caFile=/x", /needs prometheus\+https/],
    ];
    for (const [url, message] of cases)
      assert.throws(
        () => parsePrometheusUrl(`prometheus+${url}`, null),
        (error: Error) => {
          assert.match(error.message, message, url);
          assert.doesNotMatch(error.message, /secret/);
          return true;
        },
      );
    const basicAuth = { username: "me", password: "secret" };
    assert.throws(() => parsePrometheusUrl("prometheus+http://x?bearerTokenFile=/x", basicAuth), /both/);
  });
});
