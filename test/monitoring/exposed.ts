import { Registry } from "prom-client";
import { createLogger } from "../../runtime/logger.ts";
import { TlsFolder } from "../../runtime/tls-folder.ts";
import { boardFamilies } from "../../scaler/board-metrics.ts";
import { createHaMetrics } from "../../scaler/ha-metrics.ts";
import { startNumberGateway } from "../gateway/number-pipeline.ts";
import { RunningScaler } from "../scaler/support/running-scaler.ts";
import { TestAuthority } from "../support/certificates.ts";
import { SecretFolder } from "../support/secret-folder.ts";
import { affineConfig, TestFolder, TestSwitcher } from "../support/switcher-harness.ts";

/** Names of all metrics that a scaler, a gateway and a switcher expose once they run. */
export async function exposedMetrics(): Promise<ReadonlySet<string>> {
  const texts = [await ofScaler(), await ofOneOfSeveral(), await ofGateway(), await ofSwitcher()];
  const seen = texts.flatMap(text => [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = ""]) => name));
  return new Set([...seen, ...ofBoards()]);
}

async function read(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}

async function ofScaler(): Promise<string> {
  const secret = new SecretFolder(new TestAuthority("authority").issue("scaler"));
  const tls = await TlsFolder.open({ folder: secret.path, logger: createLogger("test", "silent") });
  const running = await RunningScaler.start({ tls });
  try {
    await running.planFor(5);
    return await read(running.url(""));
  } finally {
    await running.close();
    tls.close();
    secret.remove();
  }
}

/** What a scaler has beside that when it is one of several; without a cluster none is. */
function ofOneOfSeveral(): Promise<string> {
  const registry = new Registry();
  createHaMetrics(registry).show({ isLeading: () => true, transitions: () => 0, sinceVouchedMs: () => 0 });
  return registry.metrics();
}

/** Of a scaler's pipelines, those too that have nothing to say here, as of accuracy that nobody estimates. */
function ofBoards(): readonly string[] {
  const names: string[] = [];
  boardFamilies({
    family: (_type, name) => {
      names.push(name);
      return () => undefined;
    },
  });
  return names;
}

async function ofGateway(): Promise<string> {
  const { gateway, url } = await startNumberGateway({});
  try {
    return await read(url);
  } finally {
    await gateway.close(0);
  }
}

async function ofSwitcher(): Promise<string> {
  const folder = new TestFolder();
  const started = await TestSwitcher.startReady(affineConfig(folder.path, { accuracy: { output: "y" } }));
  try {
    return await read(`http://127.0.0.1:${started.switcher.ports.metrics}`);
  } finally {
    await started.close();
    folder.delete();
  }
}
