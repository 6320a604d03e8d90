const ESCAPE = "\u001b[";
/** A screen of its own without a cursor, so that what was on the terminal is there again at the end. */
const ENTER = `${ESCAPE}?1049h${ESCAPE}?25l`;
const LEAVE = `${ESCAPE}?25h${ESCAPE}?1049l`;

export interface Terminal {
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

export interface Screen {
  /** Shows the text that `textFor` makes for the width; what is beyond the terminal's width or height is cut off. */
  show(textFor: (columns: number | null) => string): void;
  close(): void;
}

export function openScreen(terminal: Terminal): Screen {
  terminal.write(ENTER);
  return {
    show: textFor => {
      // A terminal that does not know its size says 0: it is as wide as what is shown.
      const columns = terminal.columns || null;
      const lines = textFor(columns)
        .split("\n")
        .slice(0, terminal.rows || 24);
      // Written over, not cleared first: clearing flickers.
      const shown = lines.map(line => `${[...line].slice(0, columns ?? undefined).join("")}${ESCAPE}K`).join("\r\n");
      terminal.write(`${ESCAPE}H${shown}${ESCAPE}J`);
    },
    close: () => terminal.write(LEAVE),
  };
}
