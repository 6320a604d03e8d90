const SUFFIX_OF_HISTOGRAM = /_(bucket|count|sum)$/;
const HISTOGRAMS_END = "_seconds";

/** Metrics of variscale in an expression of PromQL, histograms by their own name. */
export function metricsIn(expression: string): readonly string[] {
  const words = [...expression.matchAll(/[a-z_:][\w:]*/gi)].map(([word]) => word);
  return words.filter(word => /(^|:)variscale_/.test(word)).map(familyOf);
}

/** What stands in braces behind each metric of variscale; empty where nothing does. */
export function matchersOf(expression: string): readonly string[] {
  return [...expression.matchAll(/\b(?:\w+:)?variscale_[\w:]+(?:\{([^}]*)\})?/g)].map(([, matchers = ""]) => matchers);
}

function familyOf(name: string): string {
  const family = name.replace(SUFFIX_OF_HISTOGRAM, "");
  return family.endsWith(HISTOGRAMS_END) || family.endsWith("_rows") ? family : name;
}
