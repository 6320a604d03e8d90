import type { PinWish } from "./change-client.ts";
import { element, renderOnChange } from "./element.ts";
import type { LivePin, LiveView } from "./live-view.ts";

const MINUTE_MS = 60_000;
const DEFAULT_MINUTES = 10;
const MOST_MINUTES = 30 * 24 * 60;

/** What is asked for in the form. */
export interface ChangeWishes {
  readonly onPin: (wish: PinWish) => void;
  readonly onUnpin: (stage: string) => void;
  readonly onMode: (mode: "shadow" | "active") => void;
  readonly onLock: () => void;
}

export interface ChangeForm {
  readonly root: HTMLElement;
  /** Who asks for changes and why, as far as it was written. */
  readonly note: () => { readonly by: string; readonly reason: string };
  /** Keeps to the pipeline that is shown; what was written stays. */
  show(view: LiveView): void;
}

/** Fields and buttons for everything that may be changed. Nothing is sent from here. */
export function changeForm(wishes: ChangeWishes): ChangeForm {
  const by = element("input", { type: "text", maxlength: 200, autocomplete: "off" });
  const reason = element("input", { type: "text", maxlength: 500, autocomplete: "off" });
  const pin = pinForm(wishes.onPin);
  const pins = element("div");
  const mode = button("", () => undefined);
  let wanted: "shadow" | "active" = "shadow";
  mode.addEventListener("click", () => wishes.onMode(wanted));
  const root = element(
    "div",
    { class: "change-form" },
    field("who you are", by),
    field("why", reason),
    pin.root,
    pins,
    element("div", { class: "actions" }, mode, button("Lock", wishes.onLock)),
  );
  return {
    root,
    note: () => ({ by: by.value.trim(), reason: reason.value.trim() }),
    show: view => {
      wanted = view.mode === "shadow" ? "active" : "shadow";
      const text = `Switch to ${wanted} mode`;
      if (mode.textContent !== text) mode.textContent = text;
      pin.show(view);
      renderOnChange(pins, [view.key, view.pins], () => view.pins.map(one => unpinLine(one, wishes.onUnpin)));
    },
  };
}

function pinForm(onPin: (wish: PinWish) => void) {
  const stage = element("select");
  const variant = element("select");
  const [replicas, batch] = [count(0, 10_000), count(1, 1024)];
  const minutes = count(1, MOST_MINUTES);
  minutes.required = true;
  minutes.value = String(DEFAULT_MINUTES);
  const root = element(
    "form",
    {},
    field("stage", stage),
    field("variant", variant),
    field("replicas", replicas),
    field("batch", batch),
    field("minutes", minutes),
    element("div", { class: "actions" }, element("button", { type: "submit" }, "Pin")),
  );
  let shown: LiveView | null = null;
  const showVariants = (): void => {
    const variants = shown?.stages.find(one => one.stage === stage.value)?.variants ?? [];
    renderOnChange(variant, [stage.value, variants], () => [
      element("option", { value: "" }, "as planned"),
      ...variants.map(name => element("option", { value: name }, name)),
    ]);
  };
  stage.addEventListener("change", showVariants);
  root.addEventListener("submit", event => {
    event.preventDefault();
    onPin({
      stage: stage.value,
      variant: variant.value === "" ? null : variant.value,
      batch: numberOf(batch),
      replicas: numberOf(replicas),
      ttlMs: (numberOf(minutes) ?? DEFAULT_MINUTES) * MINUTE_MS,
    });
  });
  return {
    root,
    show: (view: LiveView): void => {
      shown = view;
      const stages = view.stages.map(one => one.stage);
      renderOnChange(stage, [view.key, stages], () => stages.map(name => element("option", { value: name }, name)));
      showVariants();
    },
  };
}

function unpinLine({ stage }: LivePin, onUnpin: (stage: string) => void): HTMLElement {
  return element(
    "div",
    { class: "actions" },
    button(`Unpin ${stage}`, () => onUnpin(stage)),
  );
}

/** A whole number; empty: it is left to the plan. */
function count(min: number, max: number): HTMLInputElement {
  return element("input", { type: "number", min, max, step: 1, placeholder: "as planned" });
}

function numberOf(input: HTMLInputElement): number | null {
  return input.value === "" ? null : input.valueAsNumber;
}

export function field(name: string, input: HTMLElement): HTMLElement {
  return element("label", { class: "field" }, name, input);
}

function button(text: string, onClick: () => void): HTMLButtonElement {
  const made = element("button", { type: "button" }, text);
  made.addEventListener("click", onClick);
  return made;
}
