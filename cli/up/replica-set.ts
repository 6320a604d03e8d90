import { Replica, type ReplicaOptions } from "./replica.ts";

export interface ReplicaSetOptions {
  readonly stage: string;
  readonly logger: ReplicaOptions["logger"];
  readonly claims: ReplicaOptions["claims"];
  /** Arguments of a replica's command line, asked for at every start. */
  readonly argsOf: (pod: string) => readonly string[];
  readonly onChange: () => void;
}

/** The replicas of one stage as local processes: what a Deployment is in Kubernetes. */
export class ReplicaSet {
  readonly stage: string;
  readonly #options: ReplicaSetOptions;
  readonly #replicas: Replica[] = [];
  readonly #stopping = new Set<Promise<void>>();
  #started = 0;
  #closed = false;

  constructor(options: ReplicaSetOptions) {
    this.stage = options.stage;
    this.#options = options;
  }

  /** Replicas that are wanted; the newest ones are stopped first. Once closed there are none. */
  scale(replicas: number): void {
    if (this.#closed) return;
    while (this.#replicas.length < replicas) this.#replicas.push(this.#startReplica());
    while (this.#replicas.length > replicas) this.#stopReplica();
  }

  /** Of the processes that run now and are not to be stopped. */
  get pids(): readonly number[] {
    return this.#replicas.flatMap(replica => replica.pid ?? []);
  }

  /** The replicas that are ready. */
  endpoints(): readonly { readonly pod: string; readonly address: string }[] {
    return this.#replicas.flatMap(({ pod, address }) => (address === null ? [] : [{ pod, address }]));
  }

  async close(): Promise<void> {
    this.scale(0);
    this.#closed = true;
    await Promise.all(this.#stopping);
  }

  #startReplica(): Replica {
    this.#started += 1;
    const pod = `${this.stage}-${this.#started}`;
    return new Replica({
      pod,
      args: () => this.#options.argsOf(pod),
      logger: this.#options.logger,
      claims: this.#options.claims,
      onChange: this.#options.onChange,
    });
  }

  #stopReplica(): void {
    const replica = this.#replicas.pop();
    if (!replica) return;
    const stopped: Promise<void> = replica.stop().finally(() => this.#stopping.delete(stopped));
    this.#stopping.add(stopped);
  }
}
