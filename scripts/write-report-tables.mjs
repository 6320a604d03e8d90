// Writes the computed tables of docs/report/*.md between their marks: npm run build && node scripts/write-report-tables.mjs [TABLE…]
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { accuracyTables } from "./report-accuracy.mjs";
import { root } from "./report-format.mjs";
import { optimisationTables } from "./report-optimisation.mjs";

const TABLES = { "accuracy.md": accuracyTables, "optimisation.md": optimisationTables };

/** Only these; none: all. */
const wanted = process.argv.slice(2);

for (const [file, tables] of Object.entries(TABLES)) {
  const path = join(root, "docs/report", file);
  const before = readFileSync(path, "utf8");
  let after = before;
  for (const [name, make] of Object.entries(tables)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const marks = new RegExp(`(<!-- table: ${name} -->\n)[\\s\\S]*?(<!-- end of table -->)`);
    if (!marks.test(after)) throw new Error(`${path} has no marks for the table ${name}`);
    after = after.replace(marks, (_, start, end) => `${start}\n${make()}\n\n${end}`);
  }
  writeFileSync(path, after);
  execFileSync("npx", ["biome", "format", "--write", path], { cwd: root, stdio: "inherit" });
}
