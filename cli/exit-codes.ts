/** Exit codes of every command; 0 is done. docs/reference/cli.md is written from it. */
export const EXIT = {
  /** Something failed: it can't be read, does not answer, refuses, or is not as the command demands. */
  failed: 1,
  /** What the command was given can't be used: options, names, files. */
  wrongInput: 2,
  /** There is a result, and no plan in it meets every constraint. */
  infeasible: 3,
  /** Ctrl-C. */
  interrupted: 130,
} as const;
