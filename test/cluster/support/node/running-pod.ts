import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Answer, Json, KubernetesApi } from "../kubernetes-api.ts";
import { Container } from "./container.ts";
import { type ContainerMount, writeStartScript } from "./container-root.ts";
import { environmentOf, expand } from "./environment.ts";
import { NODE_ADDRESS, PodNetwork } from "./pod-network.ts";
import { podStatus } from "./pod-status.ts";
import { makeVolumes } from "./volumes.ts";

/** There is no such pod, or another one of its name. */
function isGone({ status, body }: Answer): boolean {
  return status === 404 || (status === 409 && /precondition failed: uid/i.test(body.message));
}

export interface PodPlace {
  readonly api: KubernetesApi;
  /** For the files of all pods. */
  readonly folder: string;
  readonly logFolder: string;
  /** Of the name server, as pods see it. */
  readonly nameServer: string;
  /** Of the API server, as pods see it. */
  readonly apiAddress: string;
}

const RETRY_MS = 500;
/** The entry point of the image. */
const ENTRY = ["/image/variscale"];

/** A pod that really runs: its containers are processes of the package in this checkout, with a network, files and probes of their own. */
export class RunningPod {
  readonly pod: Json;
  readonly #place: PodPlace;
  readonly #folder: string;
  readonly #startTime = new Date().toISOString();
  #network: PodNetwork | null = null;
  #initContainers: readonly Container[] = [];
  #containers: readonly Container[] = [];
  #isInitialised = false;
  #isEnding = false;
  #failure: string | null = null;
  #isTelling = false;
  #isToldAnew = false;
  #ended: Promise<void> = Promise.resolve();

  constructor(pod: Json, place: PodPlace) {
    this.pod = pod;
    this.#place = place;
    this.#folder = join(place.folder, pod.metadata.uid);
  }

  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** Null: it has none yet. */
  get address(): string | null {
    return this.#network?.address ?? null;
  }

  /** Of a container's process; 0: there is none. */
  pid(container: string): number {
    return this.#containers.find(({ name }) => name === container)?.pid ?? 0;
  }

  start(): void {
    this.#ended = this.#run().catch((error: unknown) => {
      this.#failure = error instanceof Error ? error.message : String(error);
      process.stderr.write(`pod ${this.pod.metadata.name}: ${this.#failure}\n`);
      this.#tell();
    });
  }

  /** Ends it within its grace and takes it off the API server. */
  async stop(graceSeconds: number): Promise<void> {
    this.#isEnding = true;
    await Promise.all([...this.#initContainers, ...this.#containers].map(one => one.stop(graceSeconds * 1000)));
    await this.#ended;
    this.#remove();
    const { namespace, name, uid } = this.pod.metadata;
    const options = { gracePeriodSeconds: 0, preconditions: { uid } };
    await this.#untilDone("DELETE", `/api/v1/namespaces/${namespace}/pods/${name}`, options);
  }

  /** At once, without a word to the API server. */
  kill(): void {
    this.#isEnding = true;
    for (const container of [...this.#initContainers, ...this.#containers]) container.kill();
    this.#remove();
  }

  #remove(): void {
    this.#network?.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #run(): Promise<void> {
    const { api } = this.#place;
    const { spec, metadata } = this.pod;
    this.#network = await PodNetwork.create();
    // The downward API has the pod's address.
    const pod = { ...this.pod, status: { ...this.pod.status, podIP: this.address, hostIP: NODE_ADDRESS } };
    const volumes = await makeVolumes(api, pod, join(this.#folder, "volumes"));
    const isRestarted = (code: number) =>
      spec.restartPolicy === "Always" || (spec.restartPolicy === "OnFailure" && code !== 0);
    const make = async (container: Json, again: (code: number) => boolean): Promise<Container> => {
      const command = await this.#commandOf(pod, container, volumes);
      const logFile = join(this.#place.logFolder, `pod-${metadata.name}-${container.name}`);
      const onChange = () => this.#tell();
      return new Container({
        spec: container,
        address: this.address ?? "",
        command,
        logFile,
        isRestarted: again,
        onChange,
      });
    };
    const failed = (code: number) => spec.restartPolicy !== "Never" && code !== 0;
    for (const container of spec.initContainers ?? []) {
      if (this.#isEnding) return;
      const init = await make(container, failed);
      this.#initContainers = [...this.#initContainers, init];
      await init.run();
      if (!this.#isEnding && init.exitCode !== 0)
        throw new Error(`its init container ${init.name} ended with ${init.exitCode}`);
    }
    const containers = await Promise.all(spec.containers.map((container: Json) => make(container, isRestarted)));
    if (this.#isEnding) return;
    this.#isInitialised = true;
    this.#containers = containers;
    await Promise.all(containers.map(container => container.run()));
  }

  async #commandOf(pod: Json, container: Json, volumes: ReadonlyMap<string, string>): Promise<readonly string[]> {
    const env = await environmentOf(this.#place.api, pod, container, this.#place.apiAddress);
    const folder = join(this.#folder, container.name);
    mkdirSync(folder, { recursive: true });
    const mounts = (container.volumeMounts ?? []).map(
      ({ name, mountPath, readOnly, subPath }: Json): ContainerMount => {
        const source = join(volumes.get(name) ?? "", subPath ?? "");
        return { path: mountPath, source, readOnly: readOnly === true };
      },
    );
    const hosts = `127.0.0.1 localhost\n${this.address} ${pod.metadata.name}\n`;
    const script = writeStartScript({ folder, mounts, nameServer: this.#place.nameServer, hosts });
    const words = [...(container.command ?? ENTRY), ...(container.args ?? [])].map((word: string) => expand(word, env));
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    return [
      ...["/usr/bin/nsenter", `--net=${this.#network?.folder}/net`, "/usr/bin/unshare", "--mount", script],
      ...["/usr/bin/env", "-i", `--chdir=${container.workingDir ?? "/app"}`, ...variables, ...words],
    ];
  }

  /** Writes its newest status; while one is written, the next one waits. */
  #tell(): void {
    this.#isToldAnew = true;
    if (this.#isTelling) return;
    this.#isTelling = true;
    const tellAll = async (): Promise<void> => {
      const { namespace, name, uid } = this.pod.metadata;
      while (this.#isToldAnew) {
        this.#isToldAnew = false;
        const status = podStatus({
          ...{ startTime: this.#startTime, hostAddress: NODE_ADDRESS, address: this.address, failure: this.#failure },
          isInitialised: this.#isInitialised,
          initContainers: this.#initContainers.map(container => container.status),
          containers: this.#containers.map(container => container.status),
        });
        await this.#untilDone("PATCH", `/api/v1/namespaces/${namespace}/pods/${name}/status`, {
          metadata: { uid },
          status,
        });
      }
    };
    void tellAll().finally(() => {
      this.#isTelling = false;
    });
  }

  /** Until the API server has taken it, or has no such pod. */
  async #untilDone(method: string, path: string, body: Json): Promise<void> {
    const type = method === "PATCH" ? "application/strategic-merge-patch+json" : "application/json";
    for (;;) {
      const answer = await this.#place.api.call(method, path, body, type).catch(() => null);
      if (answer !== null && (answer.status < 300 || isGone(answer))) return;
      await sleep(RETRY_MS);
    }
  }
}
