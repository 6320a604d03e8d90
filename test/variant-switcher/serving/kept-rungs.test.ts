import assert from "node:assert/strict";
import fc from "fast-check";
import { after, before, describe, it } from "mocha";
import { InferenceClient } from "../../support/inference-client.ts";
import { affineConfig, type InferAnswer, TestFolder, TestSwitcher, until } from "../../support/switcher-harness.ts";

/** A batch of `heavy` has no time in a request with so little of it, one of `light` has. */
const HEAVY_MS = 600;
const LITTLE_MS = 500;

interface Asked {
  readonly isUrgent?: boolean;
  /** The `id` of the protocol. */
  readonly id?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

describe("a switcher that is reached without a gateway", () => {
  let folder: TestFolder;
  let switcher: TestSwitcher;
  let client: InferenceClient;

  before(async () => {
    folder = new TestFolder();
    const variants = [
      { driver: "emulated", name: "heavy", points: [{ batch: 1, latencyMs: HEAVY_MS }] },
      { driver: "emulated", name: "light", points: [{ batch: 1, latencyMs: 1 }] },
    ];
    switcher = await TestSwitcher.start(affineConfig(folder.path, { variants, defaultVariant: "heavy" }));
    client = new InferenceClient(switcher.switcher.ports.grpc);
    await until(async () => {
      const { heavy, light } = await switcher.variants();
      return heavy?.state === "serving" && light?.state === "resident";
    }, "both rungs");
    // One more request like the recent ones must have time, too: most of them have much.
    for (let i = 0; i < 3; i += 1) assert.equal(await rest(), "heavy");
  });
  after(async () => {
    client.close();
    await switcher.close();
    folder.delete();
  });

  /** Sends a row and gives the variant that served it. */
  const rest = async ({ isUrgent = false, id, headers = {} }: Asked = {}): Promise<string | undefined> => {
    const inputs = [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 1] }];
    const parameters = isUrgent ? { slo_timeout_ms: LITTLE_MS } : {};
    const body = JSON.stringify({ inputs, parameters, ...(id !== undefined && { id }) });
    const response = await fetch(switcher.inferUrl, { method: "POST", body, headers });
    assert.equal(response.status, 200);
    return ((await response.json()) as InferAnswer["body"]).model_version;
  };

  const grpc = async ({ isUrgent = false, id = "", headers = {} }: Asked = {}): Promise<string> => {
    const request = {
      modelName: "affine",
      id,
      parameters: isUrgent ? { slo_timeout_ms: { int64Param: LITTLE_MS } } : {},
      inputs: [{ name: "x", datatype: "FP32", shape: [1, 2] }],
      rawInputContents: [Buffer.alloc(8)],
    };
    const { modelVersion } = await client.call<{ modelVersion: string }>("ModelInfer", request, { metadata: headers });
    return modelVersion;
  };

  for (const [name, send] of [
    ["REST", rest],
    ["gRPC", grpc],
  ] as const) {
    it(`serves a retry by the rung of its first try, by ${name}`, async () => {
      const headers = { "x-request-id": `header-${name}` };
      assert.equal(await send({ headers, isUrgent: true }), "light");
      assert.equal(await send({ headers }), "light");
      const id = `body-${name}`;
      assert.equal(await send({ id, isUrgent: true }), "light");
      assert.equal(await send({ id }), "light");
      assert.equal(await send({ id: `other-${name}` }), "heavy");
    });

    it(`keeps the rung of a sequence for two seconds, by ${name}`, async () => {
      const headers = { "x-sequence-id": `camera-${name}` };
      assert.equal(await send({ headers, isUrgent: true }), "light");
      const chosenMs = performance.now();
      let served: string | undefined = "light";
      while (served === "light") {
        served = await send({ headers });
        assert.ok(performance.now() - chosenMs < 60_000, "it is never chosen again");
      }
      assert.equal(served, "heavy");
      assert.ok(performance.now() - chosenMs >= 2000, "it was not kept");
      assert.equal(await send({ headers: { "x-sequence-id": `other-${name}` } }), "heavy");
    });

    it(`serves by nothing more accurate than what a caller says that it keeps, by ${name}`, async () => {
      const headers = { "x-variscale-keep": "light", "x-request-id": `kept-${name}` };
      assert.equal(await send({ headers }), "light");
      // The caller remembers, not the switcher.
      assert.equal(await send({ headers: { "x-request-id": `kept-${name}` } }), "heavy");
      assert.equal(await send({ headers: { "x-variscale-keep": "heavy" }, isUrgent: true }), "light");
      assert.equal(await send({ headers: { "x-variscale-keep": "unknown" } }), "heavy");
    });
  }

  it("takes Triton's `sequence_id` for a sequence", async () => {
    const send = async (parameters: object): Promise<string | undefined> =>
      (await switcher.infer([1], { parameters: { sequence_id: 7, ...parameters } })).body.model_version;
    assert.equal(await send({ slo_timeout_ms: LITTLE_MS }), "light");
    assert.equal(await send({}), "light");
  });

  it("answers whatever is in these headers", async () => {
    const value = fc.stringMatching(/^[ -~]{0,300}$/);
    const name = fc.constantFrom("x-request-id", "x-sequence-id", "x-variscale-keep");
    const all = fc.dictionary(name, value);
    await fc.assert(
      fc.asyncProperty(all, async headers => {
        assert.ok(["heavy", "light"].includes(String(await rest({ headers, isUrgent: true }))));
      }),
      { numRuns: 50 },
    );
  });
});
