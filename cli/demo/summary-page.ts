import { REPORT_STYLE } from "../report/report-style.ts";
import type { StepResult } from "./run-steps.ts";

export interface SummaryPage {
  readonly version: string;
  readonly machine: string;
  readonly results: readonly StepResult[];
  /** What a step printed. */
  readonly printed: (result: StepResult) => string;
  /** Files of the folder beside the page: pictures are shown. */
  readonly pictures: readonly string[];
  readonly report: string | null;
}

/** What was run, how long it took, what it printed, with links to what it wrote. */
export function summaryPage({ version, machine, results, printed, pictures, report }: SummaryPage): string {
  const rows = results.map(
    ({ name, what, seconds, problem }) =>
      `<tr><td><a href="#${name}">${escaped(what)}</a></td><td>${seconds} s</td><td>${escaped(problem ?? "done")}</td></tr>`,
  );
  const parts = results.map(
    result => `<h2 id="${result.name}">${escaped(result.what)}</h2>
<pre tabindex="0">${escaped(printed(result))}</pre>${result.name === "optimise" ? pictures.map(picture => `<figure><img src="${picture}" alt="accuracy against cores: ${picture}"></figure>`).join("") : ""}`,
  );
  const link = report === null ? "" : `<p><a href="${report}">The technical report</a></p>`;
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>variscale, from start to end</title><style>${REPORT_STYLE}</style></head>
<body>
<main>
<h1 class="title">variscale, from start to end</h1>
<p>Version ${escaped(version)} on ${escaped(machine)}. Written by <code>variscale demo --start-to-end</code>.</p>
<table><thead><tr><th scope="col">step</th><th scope="col">took</th><th scope="col">came out</th></tr></thead><tbody>${rows.join("")}</tbody></table>
${link}
${parts.join("\n")}
</main>
</body>
</html>
`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`);
}
