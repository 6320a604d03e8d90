/** Waits until it holds, for two minutes at most. */
export async function eventually(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = performance.now() + 120_000;
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`waited in vain for: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}
