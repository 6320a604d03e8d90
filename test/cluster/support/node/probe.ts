import { spawn } from "node:child_process";
import { get } from "node:http";
import type { Json } from "../kubernetes-api.ts";

/** Where the probed container is. */
export interface Probed {
  readonly address: string;
  readonly ports: readonly { readonly name?: string; readonly containerPort: number }[];
  /** Of its process. */
  readonly pid: number;
}

/** Asks once, as a kubelet does. Null: there is a good answer in time; otherwise what is wrong. */
export function probeOnce(probe: Json, probed: Probed): Promise<string | null> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  if (probe.httpGet) return httpGet(probe.httpGet, probed, timeoutMs);
  if (probe.exec)
    return execIn(probed.pid, probe.exec.command, timeoutMs).then(isGood => (isGood ? null : "the command failed"));
  throw new Error(`the test's node has no probes as ${JSON.stringify(probe)}`);
}

function httpGet({ path = "/", port }: Json, { address, ports }: Probed, timeoutMs: number): Promise<string | null> {
  const number = typeof port === "number" ? port : ports.find(({ name }) => name === port)?.containerPort;
  return new Promise(resolve => {
    const url = `http://${address}:${number}${path}`;
    const request = get(url, { agent: false, signal: AbortSignal.timeout(timeoutMs) }, response => {
      response.resume();
      const status = response.statusCode ?? 0;
      resolve(status >= 200 && status < 400 ? null : `${url} answered ${status}`);
    });
    request.on("error", error => resolve(`${url}: ${error.message}`));
  });
}

/** Runs a command where the container's process is; false: it failed or was not done in time. */
export function execIn(pid: number, command: readonly string[], timeoutMs: number): Promise<boolean> {
  const where = [`--target=${pid}`, "--mount", "--net", "--root", "--wd=/app", "--setuid=1000", "--setgid=1000"];
  const child = spawn("/usr/bin/nsenter", [...where, ...command], {
    stdio: "ignore",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  return new Promise(resolve => {
    child.once("error", () => resolve(false));
    child.once("exit", code => resolve(code === 0));
  });
}
