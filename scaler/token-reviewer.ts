import { createHash } from "node:crypto";
import type { Logger } from "pino";
import { VariscaleError } from "../domain/errors.ts";
import { KubernetesClient } from "../runtime/kubernetes.ts";
import type { KubernetesConfig } from "../runtime/kubernetes-config.ts";
import { RESOURCES } from "../runtime/kubernetes-resource.ts";
import type { Clock } from "./clock.ts";
import { type IdentityVerdict, mismatchOf, type SwitcherClaim, type SwitcherIdentity } from "./switcher-identity.ts";
import { expiryOf } from "./token-expiry.ts";
import { type ReviewedToken, reviewedToken, SWITCHER_AUDIENCE, tokenReview } from "./token-review.ts";

/** A verdict is asked for again after so long: a pod that is gone, or a token that begins to hold, is seen by then. */
const TAKEN_MS = 60_000;
const REFUSED_MS = 10_000;
/** Without the API server a token that was taken is for no longer, whatever it lasts: as long as those that our manifests mount. */
const KEPT_MS = 3_600_000;
/** Verdicts on tokens that were taken, as many as switchers that one scaler takes; the oldest go first. */
const MOST_TAKEN = 10_000;
/** On those that were not, which anyone can show: they push out none of the others. */
const MOST_REFUSED = 1000;
/**
 * Reviews under way, and newcomers that wait for theirs: whoever shows nonsense must keep neither the API server busy nor those from being
 * looked at again that it knows, who wait beside them and have every second turn.
 */
const MOST_REVIEWS = 32;
const MOST_WAITING = 5000;
const ANSWER_WITHIN_MS = 5000;
const TRY_EVERY_MS = 60_000;
/** Projected tokens have about 1 KiB. */
const MOST_TOKEN = 8192;

export interface TokenReviewerOptions {
  readonly config: KubernetesConfig;
  /** Those that switchers run as; empty: any of the pipeline's namespace. */
  readonly serviceAccounts: readonly string[];
  /** Their tokens are for it. Default: `variscale`. */
  readonly audience?: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of verdicts that are kept. Default: 10,000 on tokens that were taken, 1,000 on others. */
  readonly most?: { readonly taken: number; readonly refused: number };
}

interface Verdict {
  readonly reviewed: ReviewedToken;
  readonly atMs: number;
  /** When the token ends. */
  readonly expiresAtMs: number;
}

/**
 * Knows switchers by the tokens of their pods' service accounts, which an API server reviews. Tokens themselves are not kept here, and not
 * logged.
 */
export class TokenReviewer implements SwitcherIdentity {
  readonly #options: TokenReviewerOptions;
  readonly #client: KubernetesClient;
  /** By digest of the token, the oldest first. */
  readonly #taken = new Map<string, Verdict>();
  readonly #refused = new Map<string, Verdict>();
  readonly #underWay = new Map<string, Promise<Verdict>>();
  #reviews = 0;
  readonly #waiting: (() => void)[] = [];
  /** Of tokens that were taken before, or come over streams that follow. */
  readonly #knownWaiting: (() => void)[] = [];
  /** Whose turn was the last one. */
  #wasKnown = false;
  #problem: string | null = null;
  #stop: () => void = () => undefined;

  constructor(options: TokenReviewerOptions) {
    this.#options = options;
    this.#client = new KubernetesClient(options.config);
  }

  get serviceAccounts(): readonly string[] {
    return this.#options.serviceAccounts;
  }

  get audience(): string {
    return this.#options.audience ?? SWITCHER_AUDIENCE;
  }

  get problem(): string | null {
    return this.#problem;
  }

  /** Tries whether tokens are reviewed, now and every minute while they are not: who set it up learns of it before a switcher does. */
  start(): void {
    void this.#try();
    this.#stop = this.#options.clock.every(TRY_EVERY_MS, () => {
      if (this.#problem !== null) void this.#try();
    });
  }

  async check(claim: SwitcherClaim | null, token: string | null, isFollowing = false): Promise<IdentityVerdict> {
    if (token === null)
      return {
        outcome: "missing",
        problem: `it shows no token: mount one for the audience ${this.audience}, and start the switcher with --scaler-token-file`,
      };
    if (!/^[\x21-\x7e]+$/.test(token) || token.length > MOST_TOKEN)
      return { outcome: "refused", problem: `its token is none: it has ${token.length} characters, or blanks` };
    const digest = createHash("sha256").update(token).digest("base64");
    const nowMs = this.#options.clock.nowMs();
    const known = this.#taken.get(digest) ?? this.#refused.get(digest);
    let verdict = known && isFresh(known, nowMs) ? known : null;
    let isKept = false;
    if (verdict === null) {
      const isKnown = isFollowing || this.#taken.has(digest);
      if (!isKnown && this.#waiting.length >= MOST_WAITING && !this.#underWay.has(digest))
        return {
          outcome: "unavailable",
          problem: `its token can't be reviewed now: ${MOST_WAITING} others wait for their review already, the most that may: try again`,
        };
      try {
        verdict = await this.#review(digest, token, isKnown);
        this.#tell(null);
      } catch (thrown) {
        this.#tell(VariscaleError.from(thrown).message);
        if (!known?.reviewed.identity || !mayBeKept(known, this.#options.clock.nowMs()))
          return {
            outcome: "unavailable",
            problem: "its token can't be reviewed now, the scaler's log says why: try again",
          };
        verdict = known;
        isKept = true;
      }
    }
    const { identity, problem } = verdict.reviewed;
    if (identity === undefined) return { outcome: "refused", problem };
    const mismatch = claim && mismatchOf(identity, claim, this.#options.serviceAccounts);
    if (mismatch !== null) return { outcome: "mismatched", problem: mismatch };
    return { outcome: isKept ? "kept" : "verified", problem: null, identity };
  }

  close(): void {
    this.#stop();
    this.#client.close();
  }

  /** By what is no token: it is refused where the API server looks at it. */
  async #try(): Promise<void> {
    try {
      await this.#send("variscale");
      this.#tell(null);
    } catch (thrown) {
      this.#tell(VariscaleError.from(thrown).message);
    }
  }

  /** One review of a token at a time, whoever shows it. */
  #review(digest: string, token: string, isKnown: boolean): Promise<Verdict> {
    const underWay = this.#underWay.get(digest);
    if (underWay !== undefined) return underWay;
    const review = this.#ask(digest, token, isKnown).finally(() => this.#underWay.delete(digest));
    this.#underWay.set(digest, review);
    return review;
  }

  async #ask(digest: string, token: string, isKnown: boolean): Promise<Verdict> {
    await this.#turn(isKnown);
    let answer: unknown;
    try {
      answer = await this.#send(token);
    } finally {
      // Whoever waits goes on in its place.
      const next = this.#nextWaiting();
      if (next) next();
      else this.#reviews -= 1;
    }
    const atMs = this.#options.clock.nowMs();
    const verdict = {
      reviewed: reviewedToken(answer, this.audience),
      atMs,
      expiresAtMs: expiryOf(token) ?? atMs + TAKEN_MS,
    };
    this.#keep(digest, verdict);
    return verdict;
  }

  #send(token: string): Promise<unknown> {
    return this.#client.create(RESOURCES.tokenReviews, null, tokenReview(token, this.audience), {
      withinMs: ANSWER_WITHIN_MS,
    });
  }

  #keep(digest: string, verdict: Verdict): void {
    for (const verdicts of [this.#taken, this.#refused]) verdicts.delete(digest);
    const { taken, refused } = this.#options.most ?? { taken: MOST_TAKEN, refused: MOST_REFUSED };
    const [verdicts, most] = verdict.reviewed.identity ? [this.#taken, taken] : [this.#refused, refused];
    verdicts.set(digest, verdict);
    const [oldest] = verdicts.keys();
    if (verdicts.size > most && oldest !== undefined) verdicts.delete(oldest);
  }

  /** Resolves when there are few enough reviews under way. */
  async #turn(isKnown: boolean): Promise<void> {
    if (this.#reviews < MOST_REVIEWS) {
      this.#reviews += 1;
      return;
    }
    const waiting = isKnown ? this.#knownWaiting : this.#waiting;
    await new Promise<void>(resolve => waiting.push(resolve));
  }

  /** By turns one that is known and a newcomer, where both wait: neither keeps the other waiting for ever. */
  #nextWaiting(): (() => void) | undefined {
    const queues = [this.#knownWaiting, this.#waiting];
    if (this.#wasKnown) queues.reverse();
    const queue = queues.find(({ length }) => length > 0);
    this.#wasKnown = queue === this.#knownWaiting;
    return queue?.shift();
  }

  /** Once, not for every switcher. */
  #tell(problem: string | null): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    const { logger } = this.#options;
    if (problem === null) logger.info("tokens of switchers are reviewed again");
    else logger.warn(`tokens of switchers are not reviewed, only those that were are taken: ${problem}`);
  }
}

function isFresh({ reviewed, atMs }: Verdict, nowMs: number): boolean {
  // A clock that was set back makes none fresh.
  const ageMs = Math.abs(nowMs - atMs);
  return ageMs < (reviewed.identity ? TAKEN_MS : REFUSED_MS);
}

/** Whether it may be used while the API server can't be asked. */
function mayBeKept({ atMs, expiresAtMs }: Verdict, nowMs: number): boolean {
  // Nor does a clock that was set back make it hold for longer.
  return nowMs < expiresAtMs && Math.abs(nowMs - atMs) < KEPT_MS;
}
