const EVERY_PERCENT = 10;

/** A line that is written over on a terminal, and one for every tenth elsewhere. */
export function openProgress(
  what: string,
  stream: NodeJS.WriteStream,
): { readonly show: (share: number) => void; readonly close: () => void } {
  let shownPercent = 0;
  return {
    show: share => {
      const percent = Math.floor(100 * share);
      if (percent < shownPercent + (stream.isTTY ? 1 : EVERY_PERCENT)) return;
      shownPercent = percent;
      stream.write(stream.isTTY ? `\r${what}: ${percent} %` : `${what}: ${percent} %\n`);
    },
    close: () => {
      if (stream.isTTY && shownPercent > 0) stream.write("\r\u001b[K");
    },
  };
}
