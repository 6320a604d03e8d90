import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { partialSection, wholeSection } from "../../bench/benchmark-section.ts";
import type { Figure } from "../../bench/figure.ts";
import type { Report } from "../../bench/report.ts";
import { withSection } from "../../bench/sections.ts";

const OLD = "2 cores (old), 2026-01-02.";

function report(date: string, machine: string, figures: readonly Figure[]): Report {
  return { suite: "thing", date: `${date}T00:00:00.000Z`, machine, figures };
}

function measured(name: string, value: number, note?: string): Figure {
  const judged = { name, value, bar: 5, direction: "atMost", unit: "ms", holds: value <= 5 } as const;
  return note === undefined ? judged : { ...judged, note };
}

describe("benchmark-section.ts", () => {
  const first = report("2026-01-02", "2 cores (old)", [
    measured("a", 1, "a note | of two"),
    measured("b", 2),
    measured("c", 9),
  ]);
  const page = withSection("# Page\n", wholeSection(first));

  it("replaces the rows of what was measured, in their places, and says of others when they were", () => {
    const part = partialSection(page, report("2026-03-04", "4 cores (new)", [measured("c", 3), measured("d", 6)]));
    assert.deepEqual(part.split("\n"), [
      "## thing",
      "",
      "4 cores (new), 2026-03-04.",
      "",
      "| figure | value | bar | holds | beside it |",
      "|---|---|---|---|---|",
      `| \`a\` | 1 ms | ≤ 5 | yes | a note | of two; measured before, on ${OLD.slice(0, -1)} |`,
      `| \`b\` | 2 ms | ≤ 5 | yes | measured before, on ${OLD.slice(0, -1)} |`,
      "| `c` | 3 ms | ≤ 5 | yes |  |",
      "| `d` | 6 ms | ≤ 5 | **no** |  |",
    ]);
  });

  it("keeps the date of a row that was kept before, and marks none on the same day and machine", () => {
    const second = partialSection(page, report("2026-03-04", "4 cores (new)", [measured("c", 3)]));
    const third = partialSection(withSection(page, second), report("2026-05-06", "4 cores (new)", [measured("b", 4)]));
    assert.match(third, /^\| `a` .*; measured before, on 2 cores \(old\), 2026-01-02 \|$/m);
    assert.match(third, /^\| `b` \| 4 ms .*\|$/m);
    assert.match(third, /^\| `c` \| 3 ms .* measured before, on 4 cores \(new\), 2026-03-04 \|$/m);
    const same = partialSection(page, report("2026-01-02", "2 cores (old)", [measured("b", 4)]));
    assert.doesNotMatch(same, /measured before/);
  });

  it("writes what there is where the page has no section of the suite", () => {
    const figures = [measured("a", 1)];
    assert.equal(partialSection("# Page\n", { ...first, figures }), wholeSection({ ...first, figures }));
  });
});
