// The reference of metrics: what the registries of the processes hold, asked of the code that fills them.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { table } from "./table.mjs";

/** Stands for whatever metrics are about: only what they are called is asked. An empty list, a function, an object of
 * these; numbers by their names. */
const anything = new Proxy(() => anything, {
  get: (_target, key) => {
    if (/(Ms|MiB|quantile)$/.test(String(key))) return 0;
    if (key === Symbol.iterator) return [][Symbol.iterator].bind([]);
    if (key === "map" || key === "filter" || key === "flatMap") return () => [];
    return anything;
  },
});

export async function metricsReference(root) {
  const dist = path => import(pathToFileURL(join(root, "dist", path)).href);
  const { Registry } = await import("prom-client");
  const [
    { createRegistry },
    { addTlsMetrics },
    scaler,
    { createHaMetrics },
    { boardFamilies },
    { createGatewayMetrics },
    switcher,
  ] = await Promise.all([
    dist("runtime/process-metrics.js"),
    dist("runtime/tls-metrics.js"),
    dist("scaler/metrics.js"),
    dist("scaler/ha-metrics.js"),
    dist("scaler/board-metrics.js"),
    dist("gateway/metrics.js"),
    dist("variant-switcher/switcher-metrics.js"),
  ]);
  const none = () => 0;
  const filled = fill => {
    const registry = new Registry();
    fill(registry);
    return registry.getMetricsAsArray().map(described);
  };
  const common = createRegistry("scaler", "0").getMetricsAsArray().map(described);
  const boards = [];
  boardFamilies({ family: (type, name, help, labels) => boards.push({ type, name, help, labels }) });
  const sections = {
    "Every process": common.filter(({ name }) => name.startsWith("variscale_")),
    "Scaler, gateway and switcher with mutual TLS": filled(registry => addTlsMetrics(registry, null)),
    Scaler: [
      ...filled(registry => {
        scaler.createMetrics(registry);
        scaler.showStreams(registry, { keda: none, switchers: none });
      }),
      ...boards,
    ],
    "One of several scalers": filled(registry => createHaMetrics(registry).show(anything)),
    Gateway: filled(registry => createGatewayMetrics(registry, anything)),
    Switcher: filled(registry => switcher.createSwitcherMetrics(registry, anything)),
  };
  const nodes = common.filter(({ name }) => !name.startsWith("variscale_")).map(({ name }) => `\`${name}\``);
  return [
    "# Reference: metrics",
    "",
    "Written from the registries of the processes by `npm run build && node scripts/write-references.mjs`. All are at `/metrics`: port 8080 of the scaler, 8090 of a gateway,",
    "8003 of a switcher. Labels come from pipeline files and closed sets alone, so their number is bounded. Alerts on them: [alerts](../alerts.md).",
    ...Object.entries(sections).flatMap(([title, metrics]) => ["", `## ${title}`, "", tableOf(metrics)]),
    "",
    "## Of Node",
    "",
    `Also of every process, as prom-client gives them: ${nodes.join(", ")}.`,
  ].join("\n");
}

function described(metric) {
  const { type, name, help, labelNames } = metric;
  return { type, name, help, labels: labelNames };
}

function tableOf(metrics) {
  const lines = metrics
    .toSorted((a, b) => a.name.localeCompare(b.name))
    .map(({ type, name, help, labels }) => [`\`${name}\``, type, labels.map(one => `\`${one}\``).join(", "), help]);
  return table(["metric", "type", "labels", "what it is"], lines);
}
