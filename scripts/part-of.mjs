/**
 * Which files `--part=1/2` leaves out, as options of mocha in its place: parts 1/2 and 2/2 together have every file once. Other arguments
 * stay as they are.
 */
export function partOf(args, files) {
  return args.flatMap(arg => {
    if (!arg.startsWith("--part")) return [arg];
    const [part, parts] = (/^--part=(\d+)\/(\d+)$/.exec(arg) ?? []).slice(1).map(Number);
    if (!(part >= 1 && part <= parts && parts <= files.length))
      throw new Error(`${arg}: must be one of --part=1/N to --part=N/N, with ${files.length} files at most`);
    return files.filter((_, i) => i % parts !== part - 1).map(file => `--ignore=${file}`);
  });
}
