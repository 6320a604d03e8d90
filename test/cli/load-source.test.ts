import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { parseLoadSource } from "../../cli/load-source.ts";

describe("parseLoadSource()", () => {
  it("reads a gateway and a Prometheus", () => {
    assert.deepEqual(parseLoadSource("gateway=http://gateway:8090", {}), [
      "gateway",
      { kind: "gateway", url: "http://gateway:8090" },
    ]);
    const [name, source] = parseLoadSource("my.prom=prometheus+http://p:9090?tenant=a", {});
    assert.equal(name, "my.prom");
    assert.ok(source.kind === "prometheus" && source.tenant === "a" && source.basicAuth === null);
  });

  it("takes user name and password of the source from the environment", () => {
    const environment = { VARISCALE_MY_PROM_USERNAME: "me", VARISCALE_MY_PROM_PASSWORD: "se:cret" };
    const [, source] = parseLoadSource("my.prom=prometheus+http://p:9090", environment);
    assert.deepEqual(source.kind === "prometheus" && source.basicAuth, { username: "me", password: "se:cret" });
    const [, other] = parseLoadSource("other=prometheus+http://p:9090", environment);
    assert.equal(other.kind === "prometheus" && other.basicAuth, null);
  });

  it("refuses what is half said", () => {
    for (const pair of ["gateway", "=http://x", "gateway=nowhere", "=prometheus+http://x", ""])
      assert.throws(() => parseLoadSource(pair, {}), /must be name=url/, pair);
    const half = [{ VARISCALE_P_USERNAME: "me" }, { VARISCALE_P_PASSWORD: "secret" }];
    const wrong = [{ VARISCALE_P_USERNAME: "m:e", VARISCALE_P_PASSWORD: "secret" }];
    for (const environment of [...half, ...wrong])
      assert.throws(
        () => parseLoadSource("p=prometheus+http://x", environment),
        (error: Error) => /VARISCALE_P_USERNAME and/.test(error.message) && !/secret/.test(error.message),
      );
  });
});
