/**
 * Tells a parent process with an IPC channel, where there is one. `onGone` is called once when it goes away, or has done so before
 * it could be told.
 */
export function tellParent(message: object, onGone: () => void): void {
  if (process.send === undefined) return;
  let gone = false;
  const leave = (): void => {
    if (gone) return;
    gone = true;
    onGone();
  };
  process.once("disconnect", leave);
  process.send(message, undefined, undefined, error => {
    if (error) leave();
  });
}
