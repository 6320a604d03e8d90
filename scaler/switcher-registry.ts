import type { PipelineBoard } from "../control/board.ts";
import type { SwitcherView } from "../control/switcher-view.ts";
import { type Assignment, compareVersions, findTop, type Version } from "../domain/assignment.ts";
import { VariscaleError } from "../domain/errors.ts";
import { formatKey, type PipelineKey } from "../domain/pipeline.ts";
import type { Ack, Hello, Nack, Status } from "./switcher-messages.ts";

/** A switcher that is silent for longer is not ready; it reports once a second. */
const SILENT_AFTER_MS = 5000;

/** Switchers of all pipelines together; a stream beyond is refused. */
const MOST_SWITCHERS = 10_000;

/** Assignments that are remembered for each switcher, so that a refusal is laid to the right variant. */
const MOST_SENT = 32;

/** How the registry reaches one switcher. */
export interface SwitcherChannel {
  send(assignment: Assignment): void;
  /** Ends the stream where a new one would be refused by the pipeline as it is now. */
  recheck(): void;
  /** Ends the stream; null: with OK. */
  close(error: VariscaleError | null): void;
}

/** One connected switcher: what it said newest, and what it was told. */
export interface Switcher {
  readonly key: PipelineKey;
  readonly hello: Hello;
  readonly channel: SwitcherChannel;
  readonly connectedAtMs: number;
  lastReportMs: number;
  /** Null before the first one. */
  status: Status | null;
  applied: Version;
  nack: SwitcherView["nack"];
  assigned: Assignment | null;
  /** Oldest first. */
  sent: Assignment[];
}

/** The switchers whose streams are open: the control loop reads its views here, and sends its assignments through here. */
export class SwitcherRegistry {
  /** By pipeline, then by stage and pod. */
  readonly #pipelines = new Map<string, Map<string, Switcher>>();
  #count = 0;

  get size(): number {
    return this.#count;
  }

  /**
   * Takes a switcher in, and sends it what it must serve; where it has no model file of that, the next push does. A second stream of the
   * same pod replaces the first: that one is a connection whose end was not noticed. Throws resource_exhausted when there are too many.
   */
  connect(hello: Hello, channel: SwitcherChannel, board: PipelineBoard | null, nowMs: number): Switcher {
    const key: PipelineKey = { namespace: hello.namespace, name: hello.pipeline };
    const switchers = this.#pipelines.get(formatKey(key)) ?? new Map<string, Switcher>();
    const id = idOf(hello.stage, hello.pod);
    const before = switchers.get(id);
    if (!before && this.#count >= MOST_SWITCHERS)
      throw new VariscaleError(
        "resource_exhausted",
        `${this.#count} switchers are connected, the most that one scaler takes: run another scaler for some of the pipelines`,
      );
    const switcher: Switcher = {
      key,
      hello,
      channel,
      connectedAtMs: nowMs,
      lastReportMs: nowMs,
      status: null,
      applied: hello.applied,
      nack: before?.nack ?? null,
      assigned: null,
      sent: before?.sent ?? [],
    };
    this.#pipelines.set(formatKey(key), switchers);
    switchers.set(id, switcher);
    if (before)
      before.channel.close(new VariscaleError("aborted", `pod \`${hello.pod}\` opened a newer stream; this one ends`));
    else this.#count += 1;
    if (board && !lacks(hello, board)) assign(switcher, board);
    return switcher;
  }

  /** Forgets a switcher whose stream is gone; one that was replaced already is left alone. */
  remove(switcher: Switcher): void {
    const switchers = this.#pipelines.get(formatKey(switcher.key));
    const id = idOf(switcher.hello.stage, switcher.hello.pod);
    if (switchers?.get(id) !== switcher) return;
    switchers.delete(id);
    this.#count -= 1;
    if (switchers.size === 0) this.#pipelines.delete(formatKey(switcher.key));
  }

  /** Sends every switcher of the board's pipeline what it must serve, where that is new to it. One that fails ends its own stream alone. */
  push(board: PipelineBoard): void {
    for (const switcher of this.list(board.key)) {
      try {
        assign(switcher, board);
      } catch (error) {
        switcher.channel.close(VariscaleError.from(error));
      }
    }
  }

  list(key: PipelineKey): readonly Switcher[] {
    return [...(this.#pipelines.get(formatKey(key))?.values() ?? [])];
  }

  all(): readonly Switcher[] {
    return [...this.#pipelines.values()].flatMap(switchers => [...switchers.values()]);
  }

  views(key: PipelineKey, nowMs: number): readonly SwitcherView[] {
    return this.list(key).map(switcher => viewOf(switcher, nowMs));
  }
}

export function recordStatus(switcher: Switcher, status: Status, nowMs: number): void {
  switcher.status = status;
  switcher.applied = status.applied;
  switcher.lastReportMs = nowMs;
}

export function recordAck(switcher: Switcher, ack: Ack, nowMs: number): void {
  switcher.applied = ack.version;
  switcher.lastReportMs = nowMs;
}

/** False: the refused version was never sent to this switcher, so nothing is known to be wrong. */
export function recordNack(switcher: Switcher, nack: Nack, nowMs: number): boolean {
  switcher.lastReportMs = nowMs;
  const refused = switcher.sent.find(assignment => compareVersions(assignment.version, nack.version) === 0);
  if (!refused) return false;
  switcher.nack = {
    version: nack.version,
    variant: nack.variant || refused.top,
    code: nack.code,
    message: nack.message,
  };
  return true;
}

/** What the control loop is told: the newest report, and not ready when there was none for a while. */
export function viewOf(switcher: Switcher, nowMs: number): SwitcherView {
  const { hello, status } = switcher;
  const reported = status ?? hello;
  const shadowRows = status?.variants.filter(variant => variant.shadowRows > 0) ?? [];
  return {
    stage: hello.stage,
    pod: hello.pod,
    ready: reported.ready && nowMs - switcher.lastReportMs <= SILENT_AFTER_MS,
    applied: switcher.applied,
    variant: reported.variant,
    batch: status?.batch ?? (switcher.assigned ? findTop(switcher.assigned).maxBatch : 1),
    residentVariants: reported.residentVariants,
    missingVariants: reported.missingVariants,
    pin: status?.pin ?? null,
    queuedRows: status?.queuedRows ?? 0,
    queueAgeMs: status?.queueAgeMs ?? 0,
    serviceTimes: status?.serviceTimes ?? [],
    ...(status && { servedRows: status.servedRows, droppedRows: status.droppedRows }),
    ...(status && status.timedBatches > 0 && { timeFactor: status.timeFactor, timedBatches: status.timedBatches }),
    ...(shadowRows.length > 0 && {
      shadowRows: shadowRows.map(({ variant, shadowRows: rows }) => ({ variant, rows })),
    }),
    nack: switcher.nack,
  };
}

/** The switcher has no model file of a rung that the board says, which was made before that was known. */
function lacks(hello: Hello, board: PipelineBoard): boolean {
  const assignment = assignmentOf(hello, board);
  return assignment?.rungs.some(({ variant }) => hello.missingVariants.includes(variant)) ?? false;
}

/** Null: it is told nothing. */
function assignmentOf({ stage, pod }: Hello, board: PipelineBoard): Assignment | null {
  const own = board.stages.find(other => other.stage === stage);
  return own?.assignments.get(pod) ?? own?.newcomer ?? null;
}

function assign(switcher: Switcher, board: PipelineBoard): void {
  const assignment = assignmentOf(switcher.hello, board);
  if (!assignment) return;
  if (switcher.assigned && compareVersions(switcher.assigned.version, assignment.version) === 0) return;
  switcher.assigned = assignment;
  switcher.sent = [...switcher.sent, assignment].slice(-MOST_SENT);
  switcher.channel.send(assignment);
}

/** Stage names hold no `/`. */
function idOf(stage: string, pod: string): string {
  return `${stage}/${pod}`;
}
