/** How many figures of docs/benchmarks.md meet their bars, by suite: a section each, a row a figure, `yes` or `**no**` in its fourth cell. */
export function figuresSummary(
  benchmarks: string,
): readonly { readonly suite: string; readonly held: number; readonly all: number }[] {
  return benchmarks
    .split(/^(?=## )/m)
    .slice(1)
    .map(section => {
      const suite = /^## (.+)$/m.exec(section)?.[1]?.trim() ?? "";
      const verdicts = [...section.matchAll(/^\|(?:[^|]*\|){3}\s*(yes|\*\*no\*\*)\s*\|/gm)].map(
        ([, verdict]) => verdict,
      );
      return { suite, held: verdicts.filter(verdict => verdict === "yes").length, all: verdicts.length };
    })
    .filter(({ all }) => all > 0);
}
