import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { commandBlocks, runBlocks, runDocument } from "../../bench/document-commands.ts";
import { blocksIn, documents } from "../../bench/documents.ts";

const TEXT = `# A document

\`\`\`sh
sleep 1000 &
cat > given.txt <<END
false
END
grep -q false given.txt
\`\`\`

\`\`\`sh
grep -q true \\
  given.txt
variscale --version | false
variscale --version > version.txt
test -s version.txt
\`\`\`
`;

describe("commands of a document", () => {
  it("are run in one shell, and those that fail are named by their line", async () => {
    const { commands, failed } = await runBlocks("a.md", blocksIn("a.md", TEXT));
    assert.equal(commands, 7);
    assert.deepEqual(
      failed.map(({ at }) => at),
      ["a.md:12", "a.md:14"],
    );
  });

  for (const file of documents().filter(one => commandBlocks(one).length > 0)) {
    it(`of ${file} work`, async () => {
      const { failed, output } = await runDocument(file);
      assert.deepEqual(failed, [], output);
    });
  }
});
