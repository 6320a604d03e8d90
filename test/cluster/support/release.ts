import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { packageFolder } from "../../../runtime/version.ts";
import { theCluster } from "./hooks.ts";

const chart = join(packageFolder, "charts/variscale");

/** A release of the chart, by the real Helm. */
export interface Release {
  /** With the values that it has, and these. */
  upgrade(...values: readonly string[]): void;
  rollback(revision: number): void;
  uninstall(): void;
}

export function installed(name: string, namespace: string, values: readonly string[]): Release {
  const helm = (command: string, ...args: readonly string[]): void => {
    const { tools, folder, kubeconfig } = theCluster();
    const home = { HELM_CACHE_HOME: folder, HELM_CONFIG_HOME: folder, HELM_DATA_HOME: folder };
    execFileSync(join(tools.helm, "bin/helm"), [command, name, ...args, `--namespace=${namespace}`], {
      env: { ...process.env, ...home, KUBECONFIG: kubeconfig },
      stdio: ["ignore", "ignore", "pipe"],
    });
  };
  helm("install", chart, "--create-namespace", ...values);
  return {
    upgrade: (...more) => helm("upgrade", chart, "--reuse-values", ...more),
    rollback: revision => helm("rollback", String(revision)),
    uninstall: () => helm("uninstall"),
  };
}
