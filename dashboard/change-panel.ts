import { type ChangeTextOptions, modeText, pinnedText, unpinnedText } from "../explanation/change-text.ts";
import { type ChangeRequest, sendMode, sendPin, sendUnpin } from "./change-client.ts";
import { type ChangeForm, changeForm, field } from "./change-form.ts";
import { confirmed } from "./confirm.ts";
import { clockText } from "./decision-panel.ts";
import { element } from "./element.ts";
import type { LiveView } from "./live-view.ts";
import { Refusal } from "./scaler-client.ts";

const ACTIVE = "In active mode the scaler acts: variants are switched, and replicas are asked for.";
const SHADOW = "In shadow mode the scaler does nothing more: what is served stays as it is.";

/** What may be changed where the scaler's token is shown. Until it is, there is nothing to change anything with. */
export class ChangePanel {
  readonly #body = element("div");
  /** Read out when it changes; errors at once. */
  readonly #told = element("p", { role: "status", tabindex: -1 });
  #view: LiveView | null = null;
  /** Kept here alone: a page that is loaded anew, or left, has none. Null: none is shown. */
  #token: string | null = null;
  #form: ChangeForm | null = null;
  #isBusy = false;

  constructor(host: HTMLElement) {
    host.replaceChildren(this.#body, this.#told);
    this.#lock("");
    addEventListener("pagehide", () => this.#lock(""));
  }

  show(view: LiveView): void {
    this.#view = view;
    this.#form?.show(view);
  }

  #lock(told: string): void {
    this.#token = null;
    this.#form = null;
    const token = element("input", { type: "password", autocomplete: "off", spellcheck: "false", maxlength: 4096 });
    const form = element(
      "form",
      { class: "change-form" },
      field("token of the scaler", token),
      element(
        "p",
        { class: "note" },
        "Empty on the scaler's own machine, where it has none. It is kept until you leave the page.",
      ),
      element("div", { class: "actions" }, element("button", { type: "submit" }, "Unlock")),
    );
    form.addEventListener("submit", event => {
      event.preventDefault();
      const text = token.value.trim();
      void this.#alone(() => this.#unlock(text === "" ? null : text));
    });
    this.#body.replaceChildren(form);
    this.#tell(told, false);
  }

  /** By a change to the mode that there is, which is only checked. */
  async #unlock(token: string | null): Promise<void> {
    const view = this.#view;
    if (!view) throw new Error("there is no pipeline to change yet");
    if (token !== null && !/^[\x21-\x7e]+$/.test(token))
      throw new Error("the token has characters that no token has: copy it anew");
    await sendMode({ pipeline: view.key, token, by: "", reason: "", dryRun: true }, view.mode);
    this.#token = token;
    const form = changeForm({
      onPin: wish =>
        this.#change(`Pin ${wish.stage}?`, async (request, options) =>
          pinnedText(await sendPin(request, wish), options),
        ),
      onUnpin: stage =>
        this.#change(`Unpin ${stage}?`, async (request, options) =>
          unpinnedText(await sendUnpin(request, stage), options),
        ),
      onMode: mode =>
        this.#change(
          `Switch to ${mode} mode?`,
          async (request, options) => modeText(await sendMode(request, mode), options),
          mode === "active" ? ACTIVE : SHADOW,
        ),
      onLock: () => this.#lock("locked"),
    });
    this.#form = form;
    form.show(view);
    this.#body.replaceChildren(form.root);
    this.#tell(token === null ? "unlocked: the scaler has no token" : "unlocked", false);
    form.root.querySelector("input")?.focus();
  }

  /** Checks a change, asks whether to make it, makes it, and says what the scaler did. */
  #change(
    question: string,
    send: (request: ChangeRequest, options: ChangeTextOptions) => Promise<readonly string[]>,
    ...more: readonly string[]
  ): void {
    void this.#alone(async () => {
      const [view, form] = [this.#view, this.#form];
      if (!view || !form) return;
      const { namespace, name } = view.key;
      const request = { pipeline: view.key, token: this.#token, ...form.note() };
      const options = { of: `${namespace}/${name}`, timeText: clockText };
      const lines = await send({ ...request, dryRun: true }, { ...options, dryRun: true });
      this.#tell("nothing is changed yet", false);
      // Locked meanwhile, or left: its token is forgotten, and not shown once more.
      const isLocked = (): boolean => this.#form !== form;
      if (isLocked() || !(await confirmed(question, [...lines, ...more])) || isLocked()) {
        this.#tell("nothing was changed", false);
        return;
      }
      const done = await send({ ...request, dryRun: false }, { ...options, dryRun: false });
      this.#tell(done.join(". "), false);
      // The button that was pressed may go with what it was for.
      this.#told.focus();
    });
  }

  /** One thing at a time; what goes wrong is said, and a token that is not taken is forgotten. */
  async #alone(work: () => Promise<void>): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#tell("asking the scaler", false);
    try {
      await work();
    } catch (error) {
      const isUnknown = error instanceof Refusal && error.status === 401;
      if (isUnknown && this.#form) this.#lock("");
      this.#tell(isUnknown ? "refused: the scaler does not know this token" : messageOf(error), true);
    }
    this.#isBusy = false;
  }

  #tell(text: string, isBad: boolean): void {
    this.#told.textContent = text;
    this.#told.className = isBad ? "bad" : "";
    this.#told.setAttribute("role", isBad ? "alert" : "status");
  }
}

function messageOf(error: unknown): string {
  if (error instanceof Refusal) return `refused: ${error.message}`;
  return `not done: ${error instanceof Error ? error.message : error}`;
}
