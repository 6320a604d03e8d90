import type { Metadata } from "@grpc/grpc-js";
import { VariscaleError } from "../domain/errors.ts";
import { findStage } from "../domain/pipeline.ts";
import type { Clock } from "./clock.ts";
import type { PipelineCatalogue } from "./pipeline-catalogue.ts";
import {
  bindingProblem,
  type IdentityVerdict,
  type SwitcherIdentity,
  type TokenIdentity,
} from "./switcher-identity.ts";
import type { Hello } from "./switcher-messages.ts";
import { expiryOf } from "./token-expiry.ts";

/** Who is at the other end of an open stream is asked again after so long, a fifth sooner or later: not all at once. */
const REVIEW_MS = 600_000;
const JITTER = 0.2;
/** After so long, where the API server could not be asked. */
const RETRY_MS = 60_000;
/** Whoever has not shown its token by then is of an earlier version: the one that it showed last is reviewed. */
const SHOWN_WITHIN_MS = 10_000;

export interface StreamIdentityOptions {
  readonly identity: SwitcherIdentity;
  readonly catalogue: PipelineCatalogue;
  readonly clock: Clock;
  readonly onIdentified: (outcome: IdentityVerdict["outcome"]) => void;
  /** Told why it is not taken, or no longer. */
  readonly onProblem: (outcome: IdentityVerdict["outcome"], problem: string) => void;
}

/** Who is at the other end of a stream: found out at its hello, and again and again while it is open. */
export class StreamIdentity {
  readonly #options: StreamIdentityOptions;
  readonly #hello: Hello;
  /** Shown newest; null: nothing was. */
  #token: string | null;
  #owner: TokenIdentity | null = null;
  /** Reviewed last; null: none was. */
  #reviewed: string | null = null;
  /** How long after its last check it is asked again; null: not before it has answered. */
  #next: { readonly checkedAtMs: number; readonly afterMs: number } | null = null;
  /** Null: it is not asked now. */
  #askedAtMs: number | null = null;

  /** @param opening what the stream was opened with. */
  constructor(options: StreamIdentityOptions, hello: Hello, opening: Metadata) {
    this.#options = options;
    this.#hello = hello;
    this.#token = shownToken(opening);
  }

  /** At the hello: the error to end the stream with; null: it may follow. */
  async identify(): Promise<VariscaleError | null> {
    return this.#errorOf(await this.#verdict(false));
  }

  /** Whether it is time to ask for its token again; it counts as asked then. */
  begin(): boolean {
    const nowMs = this.#options.clock.nowMs();
    // A clock that was set back puts it off by twice as long at most.
    if (this.#next === null || Math.abs(nowMs - this.#next.checkedAtMs) < this.#next.afterMs) return false;
    this.#next = null;
    this.#askedAtMs = nowMs;
    return true;
  }

  /** Whether it was asked, and did not answer in time. */
  get isUnanswered(): boolean {
    return this.#askedAtMs !== null && Math.abs(this.#options.clock.nowMs() - this.#askedAtMs) > SHOWN_WITHIN_MS;
  }

  /**
   * After it was asked: the error to end the stream with; null: it may go on, as without an answer of the API server. What comes unasked,
   * or too late, is kept for the next time, or for this one where the API server refuses what it was asked.
   *
   * @param shown what it answered; null: nothing.
   */
  async review(shown: string | null): Promise<VariscaleError | null> {
    if (shown !== null) this.#token = shown;
    if (this.#askedAtMs === null) return null;
    this.#askedAtMs = null;
    const verdict = await this.#verdict(true);
    if (verdict.outcome === "unavailable") {
      this.#options.onIdentified("kept");
      return null;
    }
    if (verdict.outcome === "refused" && shown === null && this.#isOver())
      return new VariscaleError(
        "aborted",
        "the token of this stream has ended, and no newer one was shown: open a new one, with the token that there is now",
      );
    return this.#errorOf(verdict);
  }

  /** Whether it may serve its stage by what is known of it, as after an edit of the pipeline: the error; null: it may. */
  recheck(): VariscaleError | null {
    const problem = this.#owner && this.#bindingProblem(this.#owner);
    return problem === null ? null : this.#errorOf({ outcome: "mismatched", problem });
  }

  async #verdict(isFollowing: boolean): Promise<IdentityVerdict> {
    const { identity, clock } = this.#options;
    this.#reviewed = this.#token;
    let verdict = await identity.check(this.#hello, this.#reviewed, isFollowing);
    if (verdict.outcome === "refused" && this.#token !== this.#reviewed) {
      // A newer one came meanwhile. What comes during this review does not count: nobody stays by showing one after the other.
      this.#reviewed = this.#token;
      verdict = await identity.check(this.#hello, this.#reviewed, isFollowing);
    }
    const wasAsked = verdict.outcome !== "kept" && verdict.outcome !== "unavailable";
    const afterMs = (wasAsked ? REVIEW_MS : RETRY_MS) * (1 + JITTER * (2 * Math.random() - 1));
    this.#next = { checkedAtMs: clock.nowMs(), afterMs };
    if (verdict.problem !== null) return verdict;
    this.#owner = verdict.identity;
    const problem = this.#bindingProblem(verdict.identity);
    return problem === null ? verdict : { outcome: "mismatched", problem };
  }

  /** Where there is no such pipeline or stage, that is told elsewhere. */
  #bindingProblem(owner: TokenIdentity): string | null {
    const { namespace, pipeline, stage } = this.#hello;
    const found = this.#options.catalogue.find({ namespace, name: pipeline });
    const bound = found && findStage(found, stage);
    return bound ? bindingProblem(owner, { namespace, name: pipeline }, bound) : null;
  }

  #errorOf({ outcome, problem }: IdentityVerdict): VariscaleError | null {
    const { onIdentified, onProblem } = this.#options;
    onIdentified(outcome);
    if (problem === null) return null;
    onProblem(outcome, problem);
    return unknownSwitcher(outcome, problem);
  }

  /** Whether the token that was reviewed has ended. */
  #isOver(): boolean {
    const expiresAtMs = this.#reviewed === null ? null : expiryOf(this.#reviewed);
    return expiresAtMs !== null && expiresAtMs <= this.#options.clock.nowMs();
  }
}

interface RefusedOpening {
  readonly outcome: IdentityVerdict["outcome"];
  readonly error: VariscaleError;
}

/** Looks at the token alone that a stream was opened with; null: it is a right one, or can't be looked at now. */
export async function checkOpening(identity: SwitcherIdentity, opening: Metadata): Promise<RefusedOpening | null> {
  const { outcome, problem } = await identity.check(null, shownToken(opening));
  return outcome === "missing" || outcome === "refused" ? { outcome, error: unknownSwitcher(outcome, problem) } : null;
}

/** The token that a stream was opened with; null: there is none. */
function shownToken(opening: Metadata): string | null {
  return /^Bearer (.*)$/i.exec(String(opening.get("authorization")[0] ?? ""))?.[1] ?? null;
}

function unknownSwitcher(outcome: IdentityVerdict["outcome"], problem: string): VariscaleError {
  const code = outcome === "unavailable" ? "unavailable" : "permission_denied";
  return new VariscaleError(code, `the scaler does not know this switcher: ${problem}`);
}
