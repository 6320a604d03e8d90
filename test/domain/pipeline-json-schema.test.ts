import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "mocha";
import { pipelineJsonSchema } from "../../domain/pipeline-file.ts";
import { packageFolder } from "../../runtime/version.ts";

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
