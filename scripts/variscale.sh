#!/bin/sh
# The command of the image. The shell gives way to Node, which handles the signals of the container.
case "$1" in
scaler)
  # It shares its pod with nothing and has one busy thread: helper threads of V8, heaps of C for each thread and a young generation of 48 MiB
  # would only cost it memory (start:scaler). The C heap gives back what is free above 128 KiB: by itself glibc raises that to twice the largest block that was ever
  # freed.
  export MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=131072
  set -- --v8-pool-size=1 --max-semi-space-size=1 /app/dist/cli/main.js "$@"
  ;;
switcher)
  # As runtime/switcher-environment.ts, which says why.
  export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-2}" NODE_OPTIONS="--max-semi-space-size=1${NODE_OPTIONS:+ $NODE_OPTIONS}"
  set -- /app/dist/cli/main.js "$@"
  ;;
gateway)
  # Bodies of many MiB go back to the kernel once they are answered: by itself glibc keeps blocks up to the size of the largest one that was ever freed.
  export MALLOC_TRIM_THRESHOLD_="${MALLOC_TRIM_THRESHOLD_:-131072}"
  set -- /app/dist/cli/main.js "$@"
  ;;
*) set -- /app/dist/cli/main.js "$@" ;;
esac
exec node "$@"
