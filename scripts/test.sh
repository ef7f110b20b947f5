#!/usr/bin/env bash
# npm test [-- vitest arguments]: sets the machine up, runs the checks and all tests. The last line is their count,
# "N passed, N failed" (", N skipped" if any are); each check counts as one test.
set -uo pipefail
cd "$(dirname "$0")/.."

bash scripts/setup.sh --tests || { echo '0 passed, 1 failed'; exit 1; }

passed=0
failed=0
check() {
  echo "check: $*"
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}
PATH=$PWD/node_modules/.bin:$PATH
check biome check .
check tsc --noEmit
check node scripts/check-imports.mjs

# Mesa's lavapipe spends most of a first run optimising shaders that run for milliseconds: 1.4 to 1.6 times faster without.
export GALLIVM_PERF=${GALLIVM_PERF:-nopt}

report=$(mktemp)
trap 'rm -f "$report"' EXIT
vitest run --reporter=default --reporter=json --outputFile.json="$report" "$@"
node scripts/tally.mjs "$report" "$?" "$passed" "$failed"
