import type { ServerResponse } from "node:http";
import type { KubernetesConfig } from "../../../runtime/kubernetes-config.ts";
import { KubernetesApi, type SeenRequest } from "../../support/kubernetes-api.ts";
import type { ManualClock } from "./manual-clock.ts";

const PATH = "/apis/authentication.k8s.io/v1/tokenreviews";

export interface Owner {
  readonly username?: string;
  readonly pod?: string | null;
  readonly audiences?: readonly string[];
}

/** What the API server says of a token of a pod. */
export function ownedBy({
  username = "system:serviceaccount:shop:cards",
  pod = "detect-0",
  audiences,
}: Owner = {}): object {
  const extra = pod === null ? {} : { "authentication.kubernetes.io/pod-name": [pod] };
  return { authenticated: true, user: { username, extra }, audiences: audiences ?? ["variscale"] };
}

/** As Kubernetes writes them; nobody signed it. */
export function token(name: string, expiresAtMs: number): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "none" })}.${part({ exp: expiresAtMs / 1000, jti: name })}.x`;
}

/** An API server that reviews the tokens that a test issued. */
export class TokenReviews {
  readonly #api: KubernetesApi;
  readonly #clock: ManualClock;
  /** Statuses of reviews by token. */
  readonly known = new Map<string, object>();
  readonly asked: SeenRequest[] = [];
  answer = ({ body }: SeenRequest, response: ServerResponse): void => {
    const { spec } = body as { readonly spec: { readonly token: string } };
    const said = this.known.get(spec.token) ?? { authenticated: false, error: "token has expired" };
    response.writeHead(201, { "content-type": "application/json" });
    response.end(JSON.stringify({ kind: "TokenReview", status: said }));
  };

  private constructor(api: KubernetesApi, clock: ManualClock) {
    this.#api = api;
    this.#clock = clock;
    api.intercept = (request, response) => {
      if (request.path !== PATH) return false;
      this.asked.push(request);
      this.answer(request, response);
      return true;
    };
  }

  static async start(clock: ManualClock): Promise<TokenReviews> {
    return new TokenReviews(await KubernetesApi.start(), clock);
  }

  get config(): KubernetesConfig {
    return this.#api.config();
  }

  get inAnHour(): number {
    return this.#clock.nowMs() + 3_600_000;
  }

  /** A token that the API server takes. */
  issue(name = "a", owner: Owner = {}, expiresAtMs = this.inAnHour): string {
    const issued = token(name, expiresAtMs);
    this.known.set(issued, ownedBy(owner));
    return issued;
  }

  close(): Promise<void> {
    return this.#api.close();
  }
}
