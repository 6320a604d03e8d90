import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { parse, stringify } from "yaml";
import { parsePipelineFile } from "../../domain/pipeline-file.ts";
import { issuesOf, nothingBeside, VALID } from "./valid-file.ts";

describe("parsePipelineFile()", () => {
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
