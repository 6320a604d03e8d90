import { VariscaleError } from "../domain/errors.ts";
import type { PipelineKey } from "../domain/pipeline.ts";
import type { HttpRequest, HttpResponse, Route } from "../runtime/http-server.ts";
import { packageVersion } from "../runtime/version.ts";
import { type DecisionSources, explainedDecision } from "./explained-decision.ts";
import { isPassedOn } from "./forward-to-leader.ts";
import type { ChangeNote, OperatorChange } from "./journal.ts";
import { type LiveSources, liveView } from "./live-view.ts";
import { type ChangeAccess, describeChanges, refuseMutation } from "./mutation-access.ts";
import { tuningOf, untuneOf } from "./operator-tuning.ts";
import type { PipelineCatalogue } from "./pipeline-catalogue.ts";
import type { PipelineControl } from "./pipeline-control.ts";
import { showPipeline, showSummary } from "./pipeline-page.ts";
import { shownChange } from "./shown-change.ts";
import type { SwitcherIdentity } from "./switcher-identity.ts";

const DEFAULT_LIMIT = 20;
/** Some 300 kB: answers that nobody reads stay in memory for a while. */
const MOST_DECISIONS = 50;

export interface HttpApiOptions extends LiveSources, DecisionSources {
  readonly catalogue: PipelineCatalogue;
  readonly controlOf: (key: PipelineKey) => PipelineControl;
  readonly access: ChangeAccess;
  /** Called after a change, to store it; what it throws is the answer. */
  readonly onChange: (control: PipelineControl) => Promise<void>;
  /** Why not all of what describes pipelines is followed; null: it is. */
  readonly sourcesProblem: () => string | null;
  /** What describes pipelines in the cluster, as `--pipelines-from` names it. */
  readonly pipelinesFrom: () => readonly string[];
  /** Null: switchers are not asked who they are. */
  readonly switcherIdentity: Pick<SwitcherIdentity, "serviceAccounts" | "audience" | "problem"> | null;
  /** KEDA and switchers must show a certificate. */
  readonly hasMutualTls: boolean;
}

const PIPELINE = "/api/v1/pipelines/:namespace/:name";

/** What people and tools see of the scaler, and the three things they may change: pins, the mode and the tuning. */
export function httpApiRoutes(options: HttpApiOptions): readonly Route[] {
  const { boards, journal, clock, catalogue } = options;
  const read = (path: string, answer: (control: PipelineControl, request: HttpRequest) => unknown): Route => ({
    method: "GET",
    path,
    handle: async request => ({
      status: 200,
      headers: { "cache-control": "no-store", "x-content-type-options": "nosniff" },
      body: await answer(controlFor(options, request), request),
    }),
  });
  return [
    {
      method: "GET",
      path: "/api/v1/pipelines",
      handle: () => ({
        status: 200,
        body: {
          version: packageVersion,
          pipelinesFrom: options.pipelinesFrom(),
          sourcesProblem: options.sourcesProblem(),
          switcherIdentity: identityOf(options),
          changes: describeChanges(options.access),
          mutualTls: options.hasMutualTls,
          pipelines: catalogue.all().map(({ key }) => showSummary(key, boards.latest(key))),
        },
      }),
    },
    read(PIPELINE, control => showPipeline(options, control)),
    read(`${PIPELINE}/live`, (control, request) => liveView(options, control, afterOf(request))),
    read(`${PIPELINE}/decisions/:decision`, (control, request) =>
      explainedDecision(options, control.pipeline, request.params["decision"] ?? ""),
    ),
    read(`${PIPELINE}/decisions`, (control, request) => ({
      decisions: journal.decisions(control.pipeline.key, limitOf(request), request.query.get("before")),
    })),
    read(`${PIPELINE}/pin`, control => ({ pins: control.settings.pins(clock.nowMs()) })),
    read(`${PIPELINE}/mode`, control => ({ mode: control.settings.mode, fileMode: control.pipeline.mode })),
    read(`${PIPELINE}/tuning`, control => ({ tuning: control.settings.tuning(clock.nowMs()) })),
    ...changeRoutes(options),
  ];
}

function identityOf({ switcherIdentity }: HttpApiOptions): object | null {
  if (switcherIdentity === null) return null;
  const { serviceAccounts, audience, problem } = switcherIdentity;
  return { serviceAccounts, audience, problem };
}

/** A change that was checked but not made. */
interface Change {
  readonly body: object;
  readonly event: OperatorChange;
  readonly make: () => void;
}

/** With `?dryRun=true` they answer what would change, and change nothing. */
function changeRoutes(options: HttpApiOptions): readonly Route[] {
  const { clock, journal, access, onChange } = options;
  type Origin = Omit<ChangeNote, "by" | "reason">;
  const change = (
    method: "PUT" | "DELETE",
    path: string,
    check: (control: PipelineControl, request: HttpRequest, origin: Origin) => Change,
  ): Route => ({
    method,
    path,
    // A request that another scaler passes on is proven by its body too, and is looked at once that is there.
    refuse: head => (isPassedOn(head) ? null : refuseMutation(head, access)),
    handle: async (request): Promise<HttpResponse> => {
      const refused = refuseMutation(request, access);
      if (refused) return refused;
      const control = controlFor(options, request);
      const { body, event, make } = check(control, request, {
        from: request.remoteAddress,
        forwardedFor: String(request.headers["x-forwarded-for"] ?? "").slice(0, 200) || null,
        shown: access.token === null ? "this_machine" : "token",
      });
      if (isDryRun(request)) return { status: 200, body: { ...body, dryRun: true } };
      make();
      const nowMs = clock.nowMs();
      journal.note(control.pipeline.key, event, nowMs);
      control.settings.note(shownChange(event, nowMs));
      control.touch();
      await onChange(control);
      return { status: 200, body };
    },
  });
  return [
    change("PUT", `${PIPELINE}/pin`, (control, request, origin) => {
      const { settings } = control;
      const nowMs = clock.nowMs();
      const { pin, replaced } = settings.pinOf(parseBody(request), control.findLeftOut(nowMs), nowMs);
      const { by, reason } = pin;
      return {
        body: { ...pin, replaced },
        event: { kind: "pin", pin, replaced, by, reason, ...origin },
        make: () => settings.setPin(pin),
      };
    }),
    change("DELETE", `${PIPELINE}/pin`, ({ settings }, { query }, origin) => {
      const { dryRun: _dryRun, ...fields } = Object.fromEntries(query);
      const { request, removed } = settings.unpinOf({ stage: null, ...fields }, clock.nowMs());
      const { stage, by, reason } = request;
      return {
        body: { removed: removed.length, pins: removed },
        event: { kind: "unpin", stage, removed, by, reason, ...origin },
        make: () => settings.unpin(removed),
      };
    }),
    change("PUT", `${PIPELINE}/mode`, ({ settings, pipeline }, request, origin) => {
      const { mode, by, reason } = settings.modeOf(parseBody(request));
      const before = settings.mode;
      return {
        body: { mode, before, fileMode: pipeline.mode },
        event: { kind: "mode", mode, before, by, reason, ...origin },
        make: () => settings.setMode(mode),
      };
    }),
    change("PUT", `${PIPELINE}/tuning`, ({ settings }, request, origin) => {
      const tuning = tuningOf(parseBody(request), clock.nowMs());
      settings.checkTuning(tuning);
      const replaced = settings.tuning(clock.nowMs());
      const { by, reason } = tuning;
      return {
        body: { tuning, replaced },
        event: { kind: "tuning", tuning, replaced, by, reason, ...origin },
        make: () => settings.setTuning(tuning),
      };
    }),
    change("DELETE", `${PIPELINE}/tuning`, ({ settings }, { query }, origin) => {
      const { dryRun: _dryRun, ...fields } = Object.fromEntries(query);
      const { by, reason } = untuneOf(fields);
      const replaced = settings.tuning(clock.nowMs());
      return {
        body: { tuning: null, replaced },
        event: { kind: "tuning", tuning: null, replaced, by, reason, ...origin },
        make: () => settings.setTuning(null),
      };
    }),
  ];
}

function isDryRun(request: HttpRequest): boolean {
  const text = request.query.get("dryRun");
  if (text === null || text === "false") return false;
  if (text === "true") return true;
  throw new VariscaleError("invalid_argument", `dryRun: must be true or false (is: ${text.slice(0, 40)})`);
}

function controlFor(options: HttpApiOptions, request: HttpRequest): PipelineControl {
  const key = { namespace: request.params["namespace"] ?? "", name: request.params["name"] ?? "" };
  return options.controlOf(options.catalogue.pipeline(key, "not_found").key);
}

function limitOf(request: HttpRequest): number {
  const text = request.query.get("limit");
  if (text === null) return DEFAULT_LIMIT;
  const limit = Number(text);
  if (!/^\d{1,9}$/.test(text) || limit < 1)
    throw new VariscaleError("invalid_argument", `limit: must be a whole number above 0 (is: ${text.slice(0, 40)})`);
  return Math.min(limit, MOST_DECISIONS);
}

/** Milliseconds since 1970; default: everything that is kept. */
function afterOf(request: HttpRequest): number {
  const text = request.query.get("after");
  if (text === null) return Number.NEGATIVE_INFINITY;
  if (/^\d{1,16}$/.test(text)) return Number(text);
  throw new VariscaleError(
    "invalid_argument",
    `after: must be milliseconds since 1970, a whole number (is: ${text.slice(0, 40)})`,
  );
}

function parseBody(request: HttpRequest): unknown {
  try {
    return JSON.parse(request.body.toString("utf8"));
  } catch (error) {
    throw new VariscaleError("invalid_argument", `the body is not JSON: ${VariscaleError.from(error).message}`);
  }
}
