import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type PodPlace, RunningPod } from "./running-pod.ts";

const LOOK_EVERY_MS = 250;
const GRACE_SECONDS = 30;

/** What a kubelet is to a node: it runs the pods that are bound to it and says how they are. */
export class NodeAgent {
  readonly #node: string;
  readonly #place: PodPlace;
  readonly #pods = new Map<string, RunningPod>();
  /** A list of pods that was asked for before their end has them still. */
  readonly #endedPods = new Set<string>();
  #isClosed = false;
  #looking: Promise<void> = Promise.resolve();

  constructor(node: string, place: PodPlace) {
    this.#node = node;
    this.#place = place;
    mkdirSync(place.folder, { recursive: true });
  }

  start(): void {
    this.#looking = this.#lookAgainAndAgain();
  }

  /** Pods that run or end, with these labels. */
  pods(namespace: string, labels: Readonly<Record<string, string>>): readonly RunningPod[] {
    const matches = ({ pod }: RunningPod) =>
      pod.metadata.namespace === namespace &&
      Object.entries(labels).every(([name, value]) => pod.metadata.labels?.[name] === value);
    return [...this.#pods.values()].filter(matches);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#looking;
    for (const pod of this.#pods.values()) pod.kill();
  }

  async #lookAgainAndAgain(): Promise<void> {
    while (!this.#isClosed) {
      await this.#look().catch(() => undefined);
      await sleep(LOOK_EVERY_MS);
    }
  }

  async #look(): Promise<void> {
    const { api } = this.#place;
    const { status, body } = await api.call("GET", `/api/v1/pods?fieldSelector=spec.nodeName%3D${this.#node}`);
    // While the API server is away, pods go on.
    if (status !== 200) return;
    const found = new Set<string>();
    for (const pod of body.items) {
      if (this.#endedPods.has(pod.metadata.uid)) continue;
      const { uid, deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
      found.add(uid);
      const running = this.#pods.get(uid) ?? this.#add(pod);
      if (deletionTimestamp && !running.isEnding) this.#end(running, deletionGracePeriodSeconds ?? GRACE_SECONDS);
    }
    // Deleted by force.
    for (const [uid, pod] of this.#pods) {
      if (found.has(uid) || pod.isEnding) continue;
      pod.kill();
      this.#forget(uid);
    }
  }

  #forget(uid: string): void {
    this.#pods.delete(uid);
    this.#endedPods.add(uid);
  }

  #add(pod: RunningPod["pod"]): RunningPod {
    const running = new RunningPod(pod, this.#place);
    this.#pods.set(pod.metadata.uid, running);
    running.start();
    return running;
  }

  #end(pod: RunningPod, graceSeconds: number): void {
    const { name, uid } = pod.pod.metadata;
    pod.stop(graceSeconds).then(
      () => this.#forget(uid),
      (error: unknown) => process.stderr.write(`pod ${name} could not be ended: ${error}\n`),
    );
  }
}
