import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { invalidFile, parsePipelineFile } from "../../domain/pipeline-file.ts";
import { edited, issuesOf, nothingBeside, VALID } from "./valid-file.ts";

describe("parsePipelineFile()", () => {
  const cases: [string, string, RegExp[]][] = [
    [
      "an unknown field, with the one that was meant",
      edited(d => {
        d.spec.slo = { latency: 500 };
      }),
      [
        /^spec\.slo\.latencyMs: required field is missing/,
        /^spec\.slo\.latency: unknown field \(is: 500\)\. Did you mean `latencyMs`\?/,
      ],
    ],
    [
      "a misspelt field",
      edited(d => {
        d.spec.stages[0].varients = [];
      }),
      [/^spec\.stages\[0\]\.varients: unknown field .* Did you mean `variants`\?/],
    ],
    [
      "a unit in a value",
      edited(d => {
        d.spec.slo.latencyMs = "500ms";
      }),
      [
        /^spec\.slo\.latencyMs: .*\(is: "500ms"\)\. Write a plain number in the unit that the field's name states, not `ms`/,
      ],
    ],
    ["NaN", VALID.replace("latencyMs: 500", "latencyMs: .nan"), [/^spec\.slo\.latencyMs: .*\(is: NaN\)/]],
    ["infinity", VALID.replace("latencyMs: 500", "latencyMs: .inf"), [/^spec\.slo\.latencyMs: .*\(is: Infinity\)/]],
    [
      "a negative latency",
      edited(d => {
        d.spec.slo.latencyMs = -1;
      }),
      [/^spec\.slo\.latencyMs: .*\(is: -1\)\. Write more than 0/],
    ],
    [
      "a rule of serving that there is not, and a headroom of nothing",
      edited(d => {
        d.spec.serving = { rule: "lightest", headroom: 0 };
      }),
      [/^spec\.serving\.rule: .*\(is: "lightest"\)/, /^spec\.serving\.headroom: must be above 0 \(is: 0\)/],
    ],
    [
      "a header to keep variants by that is no client's own, and a time that is too short",
      edited(d => {
        d.spec.serving = { sticky: { by: "transfer-encoding", ttlMs: 1 } };
      }),
      [
        /^spec\.serving\.sticky\.by: is about one connection alone\. .*x-user-id/,
        /^spec\.serving\.sticky\.ttlMs: .*\(is: 1\)/,
      ],
    ],
    ...["x-request-id", "x-sequence-id", "x-variscale-keep"].map((by): [string, string, RegExp[]] => [
      `a header to keep variants by that the gateway reads itself: ${by}`,
      edited(d => {
        d.spec.serving = { sticky: { by, ttlMs: 1000 } };
      }),
      [/^spec\.serving\.sticky\.by: means something else to the gateway\. .*x-user-id/],
    ]),
    [
      "a header to keep variants by that is no header's name in lower case",
      edited(d => {
        d.spec.serving = { sticky: { by: "X-User Id", ttlMs: 1000 } };
      }),
      [/^spec\.serving\.sticky\.by: must be the name of a header, in lower case/],
    ],
    [
      "a floor of no stage, and one that is no variant of its stage",
      edited(d => {
        d.spec.serving = { floor: { detect: "tiny", reed: "only" } };
      }),
      [
        /^spec\.serving\.floor\.detect: is not a variant of stage `detect` \(is: "?tiny"?\)\. Write one of: heavy, light\./,
        /^spec\.serving\.floor\.reed: is of no stage of the pipeline .*Write one of: detect, read\./,
      ],
    ],
    [
      "what can be no service account",
      edited(d => {
        d.spec.stages[0].serviceAccounts = ["cards", "system:admin"];
      }),
      [/^spec\.stages\[0\]\.serviceAccounts\[1\]: must be the name of a service account.*system:admin/],
    ],
    [
      "a huge latency",
      edited(d => {
        d.spec.slo.latencyMs = 1e12;
      }),
      [/^spec\.slo\.latencyMs: .*Write at most 10000000/],
    ],
    [
      "a wrong version",
      edited(d => {
        d.apiVersion = "v2";
      }),
      [/^apiVersion: .*Write one of: variscale\.dev\/v1alpha1/],
    ],
    [
      "no stages",
      edited(d => {
        d.spec.stages = [];
      }),
      [/^spec\.stages: must have at least one stage/],
    ],
    [
      "an empty profile",
      edited(d => {
        d.spec.stages[0].variants[0].profile.points = [];
      }),
      [/^spec\.stages\[0\]\.variants\[0\]\.profile\.points: must have at least one batch size/],
    ],
    [
      "a profile whose latency falls",
      edited(d => {
        d.spec.stages[0].variants[0].profile.points.push({ batch: 2, latencyMs: 9 });
      }),
      [
        /^spec\.stages\[0\]\.variants\[0\]\.profile\.points\[1\]\.latencyMs: must not be below the 10 ms of batch 1.*\(is: 9\)/,
      ],
    ],
    [
      "a profile whose batches don't rise",
      edited(d => {
        d.spec.stages[0].variants[0].profile.points.push({ batch: 1, latencyMs: 12 });
      }),
      [/points\[1\]\.batch: must be larger/],
    ],
    [
      "a profile of another shape",
      edited(d => {
        d.spec.stages[0].variants[0].profile.cores = 2;
      }),
      [/^spec\.stages\[0\]\.variants\[0\]\.profile\.cores: was measured at 2 cores, but a replica of the stage has 1/],
    ],
    [
      "a default variant that is none",
      edited(d => {
        d.spec.stages[0].defaultVariant = "other";
      }),
      [
        /^spec\.stages\[0\]\.defaultVariant: is not a variant of the stage \(is: "other"\)\. Write one of: heavy, light/,
      ],
    ],
    [
      "two variants of one name",
      edited(d => {
        d.spec.stages[0].variants[1].name = "heavy";
      }),
      [/variants\[1\]\.name: two variants/],
    ],
    [
      "two stages of one name",
      edited(d => {
        d.spec.stages[1].name = "detect";
      }),
      [/stages\[1\]\.name: two stages/],
    ],
    [
      "a model outside the model folder",
      edited(d => {
        d.spec.stages[0].variants[0].model = "../x.onnx";
      }),
      [/variants\[0\]\.model: must be a path inside the model folder/],
    ],
    [
      "names that every object has",
      edited(d => {
        d.spec.stages[1].name = "constructor";
        d.spec.stages[0].variants[0].name = "constructor";
      }),
      [/stages\[1\]\.name: must not be `constructor`/, /variants\[0\]\.name: must not be `constructor`/],
    ],
    [
      "a sha256 that is none",
      edited(d => {
        d.spec.stages[0].variants[0].sha256 = "abc";
      }),
      [/sha256: must be 64 lower-case hexadecimal digits/],
    ],
    [
      "a stage that depends on one after it, on itself or twice on the same",
      edited(d => {
        d.spec.stages[1].dependsOn = ["read", "later", "detect", "detect"];
      }),
      [
        /stages\[1\]\.dependsOn\[0\]: is not a stage that stands before this one .* Write one of: detect/,
        /stages\[1\]\.dependsOn\[1\]: is not a stage/,
        /stages\[1\]\.dependsOn\[3\]: is named twice/,
      ],
    ],
    [
      "a first stage that depends on another",
      edited(d => {
        d.spec.stages[0].dependsOn = ["read"];
      }),
      [/stages\[0\]\.dependsOn\[0\]: is not a stage .* Remove it: this is the first stage/],
    ],
    [
      "replicas the wrong way round",
      edited(d => {
        d.spec.stages[0].replicas = { min: 3, max: 2 };
      }),
      [/replicas: `min` must not be above `max`/],
    ],
    [
      "a batch dimension that is fixed",
      edited(d => {
        d.spec.stages[0].contract.inputs[0].shape = [1, 4];
      }),
      [/shape: the first dimension is the batch and must be -1/],
    ],
    [
      "a fan-out of no upstream variant",
      edited(d => {
        d.spec.stages[1].fanOut.byUpstreamVariant.other = 2;
      }),
      [/fanOut\.byUpstreamVariant\.other: is not a variant of the upstream stage .* Write a variant of `detect`/],
    ],
    ["what is no YAML", "a: [", [/^line \d+, column \d+: not YAML: (?!.* at line)/]],
    [
      "a line that is no YAML",
      "a: 1\nb c\nd: 2\n",
      [/^line 2, column 1: not YAML: [^(]*\(is: "?b c"?\)\. Correct the YAML/],
    ],
    ["nothing", "", [/^\(top level\): /]],
  ];
  for (const [name, text, patterns] of cases) {
    it(`refuses ${name}, saying where, what and how to put it right`, () => {
      const issues = issuesOf(text);
      for (const pattern of patterns)
        assert.ok(
          issues.some(issue => pattern.test(issue)),
          `${pattern} is not among\n${issues.join("\n")}`,
        );
    });
  }
});

describe("invalidFile()", () => {
  it("names the file and every issue", () => {
    const result = parsePipelineFile(
      edited(d => {
        d.spec.slo.latencyMs = -1;
        d.kind = "X";
      }),
      nothingBeside,
    );
    assert.ok(!result.ok);
    const error = invalidFile("p.yaml", result.issues);
    assert.equal(error.code, "invalid_argument");
    assert.match(error.message, /^p\.yaml is not valid:\n {2}kind: [^\n]+\n {2}spec\.slo\.latencyMs: /);
  });
});
