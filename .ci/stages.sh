#!/usr/bin/env bash
# The stages of `.ci/run` and `.ci/nightly`: sourced by both, from the root of the repository.
set -u -o pipefail
# A test that can't have what it needs is a failure here, not skipped.
export CI=1
# An earlier build says nothing about this run.
unset VARISCALE_BUILT
passed=0
failed=0
# What each stage printed, by its name; all of it is printed as it comes.
logs=$(mktemp -d)
trap 'end_started; rm -rf "$logs"' EXIT
# A line for each stage, and the names of those that failed, in their order; both are printed at the end.
table=''
broken=()

# within MINUTES LOG COMMAND…: what hangs fails, and the rest still runs. What leaves a process behind that holds the output is given two
# minutes more.
within() {
  timeout --kill-after=60 "$1m" "${@:3}" 2>&1 | timeout $(($1 + 2))m tee "$2"
}

# end_started: what was started and still runs ends, with all that it started: each is a process group, by timeout.
end_started() {
  local pids=''
  { read -r pids <"/proc/$$/task/$$/children"; } 2>/dev/null
  # A kernel may not list them: then these are the jobs in the background, for which wait would wait.
  [ -n "$pids" ] || pids=$(jobs -pr)
  # Some of them may be gone.
  [ -z "$pids" ] || kill $pids 2>/dev/null
  wait
}

# ended NAME SECONDS PASSING FAILING STATUS: counts the stage.
ended() {
  local note=''
  passed=$((passed + $3))
  failed=$((failed + $4))
  if [ "$4" -gt 0 ]; then
    note=" FAILED"
    # 124, 137: timeout's.
    case $5 in 124 | 137) note=" FAILED: ended at its limit" ;; esac
    broken+=("$1")
  fi
  table+=$(printf '%-18s %5d passed %3d failed %5d s%s' "$1" "$3" "$4" "$2" "$note")$'\n'
  printf '=== %s%s: %d s\n' "$1" "$note" "$2"
}

# stage NAME MINUTES COMMAND…: one stage is one pass or one failure, and the same for who asks.
stage() {
  printf '\n=== %s: %s\n' "$1" "${*:3}"
  local start=$SECONDS status=0 seconds
  within "$2" "$logs/$1" "${@:3}" || status=$?
  seconds=$((SECONDS - start))
  if [ "$status" -eq 0 ]; then ended "$1" "$seconds" 1 0 0; else ended "$1" "$seconds" 0 1 "$status"; fi
  return "$status"
}

# tests NAME MINUTES COMMAND…: every test of mocha's counts by itself.
tests() {
  printf '\n=== %s: %s\n' "$1" "${*:3}"
  local start=$SECONDS status=0
  within "$2" "$logs/$1" "${@:3}" || status=$?
  counted "$1" $((SECONDS - start)) "$status"
}

# beside NAME MINUTES COMMAND…: as tests, but next to the stages that follow; what it prints is shown by `joined NAME`, which waits for its end.
# Without a build to share each would build, and remove what the other runs: then it is done before the stages that follow.
declare -A beside began
beside() {
  if [ -z "${VARISCALE_BUILT:-}" ]; then
    tests "$@"
    return
  fi
  printf '\n=== %s, beside what follows: %s\n' "$1" "${*:3}"
  timeout --kill-after=60 "$2m" "${@:3}" >"$logs/$1" 2>&1 &
  beside[$1]=$! began[$1]=$EPOCHSECONDS
}

joined() {
  [ -n "${beside[$1]:-}" ] || return 0
  local status=0
  wait "${beside[$1]}" || status=$?
  printf '\n=== %s:\n' "$1"
  cat "$logs/$1"
  # It may have ended long before: its last word says when.
  counted "$1" $(($(stat -c %Y "$logs/$1") - began[$1])) "$status"
}

# counted NAME SECONDS STATUS: by what mocha says at its end.
counted() {
  local status=$3 passing failing
  passing=$(sed -nE 's/^ +([0-9]+) passing.*/\1/p' "$logs/$1" | tail -n 1)
  failing=$(sed -nE 's/^ +([0-9]+) failing.*/\1/p' "$logs/$1" | tail -n 1)
  passing=${passing:-0}
  failing=${failing:-0}
  # It failed without a count: what it needs, the build, or mocha itself.
  if [ "$status" -ne 0 ] && [ "$failing" -eq 0 ]; then failing=1; fi
  # Tests that never ran did not pass.
  if [ "$status" -eq 0 ] && [ "$passing" -eq 0 ]; then failing=1; fi
  ended "$1" "$2" "$passing" "$failing" "$status"
}

# failures NAME: mocha's list of what failed, from the end of what the stage printed. Where there is none, the tests that failed until then by
# their names, and the last lines.
failures() {
  local from
  from=$(grep -nE '^ +[0-9]+ failing' "$logs/$1" | tail -n 1 | cut -d : -f 1)
  if [ -n "$from" ]; then
    tail -n +$((from + 1)) "$logs/$1" | head -n 60
  else
    grep -E '^ +[0-9]+\) ' "$logs/$1" | head -n 20
    tail -n 40 "$logs/$1"
  fi
}

# Again at the end, where it is seen: what failed and why, then all stages.
summary() {
  local name
  for name in "${broken[@]}"; do
    printf '\n=== what failed in %s\n' "$name"
    failures "$name"
  done
  printf '\n=== all stages\n%s' "$table"
}

# finish: the summary, and the verdict.
finish() {
  summary
  printf '%d passed, %d failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ]
}
