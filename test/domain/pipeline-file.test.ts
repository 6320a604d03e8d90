import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { formatIssue } from "../../domain/file-issue.ts";
import { parsePipelineFile } from "../../domain/pipeline-file.ts";
import { edited, issuesOf, nothingBeside, VALID } from "./valid-file.ts";

describe("parsePipelineFile()", () => {
  it("refuses a file whose lists and maps are nested deeper than any, before it is read", () => {
    const indented = Array.from({ length: 1000 }, (_, i) => `${" ".repeat(i)}a:\n`).join("");
    const marks = Array.from(
      { length: 20 },
      (_, i) => `${"- ".repeat(99 * i).replaceAll("-", " ")}${"- ".repeat(99)}\n`,
    );
    const deep = ["[".repeat(1e6), "{a: ".repeat(101), "- ".repeat(101), "? ".repeat(101), "? !a ".repeat(3000)];
    for (const text of [...deep, indented, marks.join("")]) {
      const result = parsePipelineFile(text, () => null);
      assert.ok(!result.ok);
      assert.equal(result.issues[0]?.rule, "must not be deeper than 100");
    }
    for (const text of ["- []\n- {}\n".repeat(1000), `# ${"[".repeat(1000)}\n- "${"[ - ".repeat(1000)}"\n`]) {
      const flat = parsePipelineFile(text, () => null);
      assert.ok(!flat.ok && !/deeper/.test(flat.issues[0]?.rule ?? ""));
    }
  });

  it("names the line of a key that its map has twice", () => {
    const result = parsePipelineFile("kind: Pipeline\nspec:\n  a: 1\n  a: 2\n", () => null);
    assert.ok(!result.ok);
    const [issue] = result.issues;
    assert.deepEqual(
      [issue?.path, issue?.rule],
      ["line 4, column 3", "not YAML: Map keys must be unique, and `a` comes again"],
    );
  });

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
      fanOut: { detect: { rowsPerRequest: 2.5 }, read: { upstream: "detect", rowsByVariant: { heavy: 7 } } },
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
    assert.deepEqual(detect?.fanOut, { default: 2.5, byUpstreamVariant: {} });
    assert.deepEqual(result.pipeline.stages[1]?.fanOut.byUpstreamVariant, { light: 5, heavy: 7 });
    assert.equal(result.pipeline.accuracy.combinations[0]?.accuracy, 0.7);
    assert.deepEqual(result.pipeline.overhead, { latencyMs: 3, cpuMs: 2 });
  });

  it("takes thresholds of confidence that were learnt from labelled items, but for those that it says itself", () => {
    const measurements = {
      apiVersion: "variscale.dev/v1alpha1",
      kind: "PipelineMeasurements",
      machine: {},
      date: "2026-01-01T00:00:00Z",
      stages: {},
      accuracy: {
        stages: {
          detect: {
            heavy: { accuracy: 0.8, confidenceThreshold: 0.75 },
            light: { accuracy: 0.6, confidenceThreshold: -2 },
            gone: { accuracy: 0.5, confidenceThreshold: 0 },
          },
        },
      },
    };
    const thresholdsWith = (written: object) => {
      const text = edited(d => {
        d.spec.stages[0].accuracy = { output: d.spec.stages[0].contract.outputs[0].name, ...written };
      });
      const result = parsePipelineFile(text, name =>
        name === "measurements.json" ? JSON.stringify(measurements) : null,
      );
      assert.ok(result.ok, JSON.stringify(result));
      return result.pipeline.stages[0]?.accuracy?.thresholds;
    };
    assert.deepEqual(thresholdsWith({}), { heavy: 0.75, light: -2 });
    assert.deepEqual(thresholdsWith({ thresholds: { light: 0.5 } }), { heavy: 0.75, light: 0.5 });
  });

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
    for (const objective of [{ podShape: "variant" }, { policy: "oracle" }]) {
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
