import { element } from "./element.ts";

/** Asks in a dialog whether to do what `lines` say; Escape is no. The focus goes back to where it was. */
export function confirmed(question: string, lines: readonly string[]): Promise<boolean> {
  const no = element("button", { type: "button" }, "Cancel");
  const yes = element("button", { type: "button", class: "strong" }, "Do it");
  const title = element("h2", { id: "question" }, question);
  const told = lines.map(line => element("p", {}, line));
  const dialog = element(
    "dialog",
    { "aria-labelledby": "question" },
    title,
    ...told,
    element("div", { class: "actions" }, no, yes),
  );
  document.body.append(dialog);
  return new Promise(resolve => {
    no.addEventListener("click", () => dialog.close());
    yes.addEventListener("click", () => dialog.close("yes"));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    dialog.showModal();
  });
}
