import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, it } from "mocha";
import { parse, stringify } from "yaml";
import { formatIssue } from "../../domain/file-issue.ts";
import { invalidFile, parsePipelineFile, pipelineJsonSchema } from "../../domain/pipeline-file.ts";
import { packageFolder } from "../../runtime/version.ts";

const SHA = "a".repeat(64);

const VALID = `
apiVersion: variscale.dev/v1alpha1
kind: InferencePipeline
metadata: { name: cards }
spec:
  slo: { latencyMs: 500 }
  measurements: measurements.json
  stages:
    - name: detect
      defaultVariant: heavy
      contract: { inputs: [{ name: x, datatype: FP32, shape: [-1, 4] }], outputs: [{ name: y, datatype: FP32, shape: [-1] }] }
      variants:
        - { name: heavy, model: heavy.onnx, sha256: ${SHA}, accuracy: 0.9, profile: { cores: 1, points: [{ batch: 1, latencyMs: 10 }] } }
        - { name: light, model: light.onnx, sha256: ${SHA} }
    - name: read
      fanOut: { default: 6, byUpstreamVariant: { light: 5 } }
      defaultVariant: only
      contract: { inputs: [{ name: x, datatype: FP32, shape: [-1, 4] }], outputs: [{ name: y, datatype: FP32, shape: [-1] }] }
      variants: [{ name: only, model: sub/only.onnx, sha256: ${SHA} }]
`;

const nothingBeside = () => null;

// biome-ignore lint/suspicious/noExplicitAny: edits a parsed YAML document in place
function edited(edit: (document: any) => void): string {
  const document = parse(VALID);
  edit(document);
  return stringify(document);
}

function issuesOf(text: string, beside: (name: string) => string | null = nothingBeside): string[] {
  const result = parsePipelineFile(text, beside);
  assert.equal(result.ok, false, "the file was taken");
  return result.ok ? [] : result.issues.map(formatIssue);
}

describe("parsePipelineFile()", () => {
  it("fills in the defaults: shadow mode, a chain of stages, one core a replica", () => {
    const result = parsePipelineFile(VALID, nothingBeside);
    assert.ok(result.ok);
    const { pipeline } = result;
    assert.deepEqual(pipeline.key, { namespace: "default", name: "cards" });
    assert.equal(pipeline.mode, "shadow");
    assert.equal(pipeline.intervalMs, 10_000);
    assert.equal(pipeline.slo.quantile, 0.95);
    assert.equal(pipeline.objective.policy, "default");
    assert.deepEqual(
      pipeline.stages.map(stage => [stage.name, stage.upstream, stage.cores]),
      [
        ["detect", null, 1],
        ["read", "detect", 1],
      ],
    );
    assert.deepEqual(pipeline.stages[1]?.fanOut, { default: 6, byUpstreamVariant: { light: 5 } });
    assert.equal(pipeline.stages[0]?.variants[0]?.profile?.points[0]?.latencyMs, 10);
    assert.equal(pipeline.stages[0]?.variants[1]?.profile, null);
  });

  it("takes what was measured over what is written", () => {
    const measurements = {
      apiVersion: "variscale.dev/v1alpha1",
      kind: "PipelineMeasurements",
      machine: { cores: 2 },
      date: "2026-01-01T00:00:00Z",
      overhead: { latencyMs: 3, cpuMs: 2 },
      stages: { detect: { heavy: { cores: 1, points: [{ batch: 1, latencyMs: 20 }] } } },
      fanOut: { read: { upstream: "detect", rowsByVariant: { heavy: 7 } } },
      accuracy: {
        stages: { detect: { heavy: { accuracy: 0.8 } } },
        combinations: [{ variants: { detect: "heavy", read: "only" }, accuracy: 0.7 }],
      },
    };
    const result = parsePipelineFile(VALID, name =>
      name === "measurements.json" ? JSON.stringify(measurements) : null,
    );
    assert.ok(result.ok);
    const detect = result.pipeline.stages[0];
    assert.equal(detect?.variants[0]?.profile?.points[0]?.latencyMs, 20);
    assert.equal(detect?.variants[0]?.accuracy, 0.8);
    assert.deepEqual(result.pipeline.stages[1]?.fanOut.byUpstreamVariant, { light: 5, heavy: 7 });
    assert.equal(result.pipeline.accuracy.combinations[0]?.accuracy, 0.7);
    assert.deepEqual(result.pipeline.overhead, { latencyMs: 3, cpuMs: 2 });
  });

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
    ["what is no YAML", "a: [", [/^line \d+, column \d+: /]],
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

  it("takes what is optional, and null where it is left out", () => {
    const result = parsePipelineFile(
      edited(d => {
        d.spec.code = "./code.js";
        d.spec.stages[0].costPerHour = 0.5;
        d.spec.stages[0].replicas = { min: 2, max: 2 };
      }),
      nothingBeside,
    );
    assert.ok(result.ok);
    const { pipeline } = result;
    assert.equal(pipeline.code, "./code.js");
    assert.deepEqual(
      pipeline.stages.map(stage => stage.costPerHour),
      [0.5, null],
    );
    assert.deepEqual(pipeline.stages[0]?.replicas, { min: 2, max: 2 });
    const bare = parsePipelineFile(VALID, nothingBeside);
    assert.equal(bare.ok && bare.pipeline.code, null);
  });

  it("takes a graph: stages that depend on none, one or several before them", () => {
    const text = edited(d => {
      d.spec.stages[1].fanOut = 2;
      d.spec.stages[1].dependsOn = [];
      d.spec.stages.push({ ...d.spec.stages[1], name: "join", dependsOn: ["read", "detect"] });
      d.spec.stages.push({ ...d.spec.stages[1], name: "last" });
      delete d.spec.stages[3].dependsOn;
    });
    const result = parsePipelineFile(text, nothingBeside);
    assert.ok(result.ok, JSON.stringify(result));
    assert.deepEqual(
      result.pipeline.stages.map(({ dependsOn, upstream }) => [dependsOn, upstream]),
      [
        [[], null],
        [[], null],
        [["read", "detect"], "read"],
        [["join"], "join"],
      ],
    );
  });

  it("takes what can only be planned in mode shadow alone", () => {
    for (const objective of [{ podShape: "variant" }, { policy: "cocktail" }, { policy: "oracle" }]) {
      const withMode = (mode: string) =>
        edited(d => {
          d.spec.mode = mode;
          d.spec.objective = objective;
        });
      assert.ok(parsePipelineFile(withMode("shadow"), nothingBeside).ok);
      assert.match(issuesOf(withMode("active"))[0] ?? "", /objective\.(podShape|policy): .* Write `mode: shadow`/);
    }
  });

  it("takes votes of three or five variants of the stage, each once", () => {
    const withVotes = (...sets: string[][]) =>
      edited(d => {
        const [first] = d.spec.stages;
        first.variants = ["a", "b", "c", "d"].map(name => ({ ...first.variants[0], name }));
        first.defaultVariant = "a";
        delete d.spec.stages[1].fanOut;
        first.votes = { measured: sets.map(variants => ({ variants, accuracy: 0.9 })) };
      });
    const right = parsePipelineFile(withVotes(["a", "b", "c"]), nothingBeside);
    assert.ok(right.ok, JSON.stringify(right));
    assert.equal(right.pipeline.stages[0]?.votes?.correlation, 0.5);
    for (const [sets, expected] of [
      [[["a", "b", "x"]], /votes\.measured\[0\]\.variants\[2\]: is not a variant of the stage/],
      [[["a", "b", "b"]], /variants\[2\]: votes twice/],
      [[["a", "b", "c", "d"]], /measured\[0\]\.variants: must be three or five variants/],
      [
        [
          ["a", "b", "c"],
          ["c", "b", "a"],
        ],
        /measured\[1\]\.variants: is a vote that stands here twice/,
      ],
    ] as const)
      assert.match(issuesOf(withVotes(...sets.map(set => [...set])))[0] ?? "", expected);
  });

  it("takes a chain that is written out", () => {
    const text = edited(d => {
      d.spec.stages[0].dependsOn = [];
      d.spec.stages[1].dependsOn = ["detect"];
    });
    assert.ok(parsePipelineFile(text, nothingBeside).ok);
  });

  it("refuses measurements that are broken, and says that it is them", () => {
    assert.match(issuesOf(VALID, () => "{")[0] ?? "", /^measurements: line 1/);
    assert.match(issuesOf(VALID, () => '{"kind": "Other"}').join("\n"), /^measurements: kind: /m);
  });

  it("refuses a file that explodes by aliases", () => {
    const bomb = [
      "a: &a [x,x,x,x,x,x,x,x,x]",
      ...Array.from(
        { length: 9 },
        (_, i) => `${"bcdefghij"[i]}: &${"bcdefghij"[i]} [${`*${"abcdefghi"[i]},`.repeat(9)}]`,
      ),
    ].join("\n");
    assert.match(issuesOf(bomb)[0] ?? "", /alias/i);
  });

  it("never throws, whatever the file holds", () => {
    const document = parse(VALID);
    const paths = leaves(document);
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.anything({ withBigInt: false, maxDepth: 2 }), (path, value) => {
        const copy = structuredClone(document);
        set(copy, path, value);
        let text: string;
        try {
          text = stringify(copy);
        } catch {
          return; // a value that YAML can't hold
        }
        const result = parsePipelineFile(text, nothingBeside);
        if (!result.ok)
          assert.ok(result.issues.length > 0 && result.issues.every(issue => issue.path && issue.rule && issue.fix));
      }),
      { numRuns: 500 },
    );
  });

  it("never throws at text that is no pipeline file", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), text => !parsePipelineFile(text, nothingBeside).ok),
      { numRuns: 500 },
    );
  });
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

describe("spec.load", () => {
  const parsed = (load: unknown) => {
    const result = parsePipelineFile(
      edited(document => {
        document.spec.load = load;
      }),
      nothingBeside,
    );
    return result.ok ? [result.pipeline.loadSource, result.pipeline.loadQuery] : result.issues.map(formatIssue);
  };

  it("names a source, and what a Prometheus is asked", () => {
    assert.deepEqual(parsed({}), ["gateway", null]);
    assert.deepEqual(parsed({ source: "p", counter: ' x{a="b"} ' }), ["p", { kind: "counter", selector: 'x{a="b"}' }]);
    assert.deepEqual(parsed({ source: "p", query: "sum(rate(x[1m]))" }), [
      "p",
      { kind: "rate", expression: "sum(rate(x[1m]))" },
    ]);
  });

  it("refuses what can't be asked", () => {
    assert.deepEqual(parsed({ counter: "rate(x[1m])" }), [
      'spec.load.counter: must select series alone, as in http_requests_total{job="shop"} (is: "rate(x[1m])"). Correct the value.',
    ]);
    assert.deepEqual(parsed({ counter: "x", query: "y" }), [
      'spec.load.query: must not stand beside `counter` (is: "y"). Remove one of them.',
    ]);
    assert.match(String(parsed({ query: "" })), /spec\.load\.query/);
  });
});

describe("pipelineJsonSchema()", () => {
  it("describes the fields that users write", () => {
    const schema = JSON.stringify(pipelineJsonSchema());
    for (const field of ["latencyMs", "defaultVariant", "byUpstreamVariant", "scaleDownMs"])
      assert.ok(schema.includes(`"${field}"`), field);
  });

  it("is what docs/pipeline.schema.json holds", () => {
    const path = join(packageFolder, "docs/pipeline.schema.json");
    const text = `${JSON.stringify(pipelineJsonSchema(), null, 2)}\n`;
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(path, text);
    const stale =
      "docs/pipeline.schema.json is not what the schema in domain/ gives: write it anew by UPDATE_GOLDEN=1 npm test";
    assert.equal(existsSync(path) ? readFileSync(path, "utf8") : null, text, stale);
  });
});

type Path = (string | number)[];

function leaves(value: unknown, path: Path = []): Path[] {
  if (value === null || typeof value !== "object") return [path];
  return [
    ...(path.length > 0 ? [path] : []),
    ...Object.entries(value).flatMap(([key, inner]) =>
      leaves(inner, [...path, Array.isArray(value) ? Number(key) : key]),
    ),
  ];
}

function set(root: unknown, path: Path, value: unknown): void {
  let node = root as Record<string | number, unknown>;
  for (const key of path.slice(0, -1)) node = node[key] as Record<string | number, unknown>;
  node[path.at(-1) as string | number] = value;
}
