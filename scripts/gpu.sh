#!/usr/bin/env bash
# gpu.sh [PART...]: all that a machine with a GPU is needed for, in less than ten minutes: the tests on its adapter, the
# benches, the work list shared with other engines beside PyTorch, and some real training. Parts: tests bench peers train.
# Each step has a time limit, so that one that hangs leaves time for the rest. Run `npm run build` first.
#
#   OUT      where results and logs go (bench/results)     NAME   what files are called after, such as h100 (gpu)
#   PEERS    folder of the shared work list's harness; skipped where there is none (../shared/peers, or extra/peers)
#   TOTAL    seconds for everything (570)                  QUICK=1  a trial of the script itself, on a software adapter
#
# Without network or packages for tests: `node scripts/pack-tests.mjs` makes dist/tests.tar.xz, which is unpacked here.
set -uo pipefail
cd "$(dirname "$0")/.."

NAME=${NAME:-gpu}
QUICK=${QUICK:-}
TOTAL=${TOTAL:-570}
mkdir -p "${OUT:=bench/results}" && OUT=$(cd "$OUT" && pwd) || exit 1
if [ -z "${PEERS:-}" ]; then
  PEERS=../shared/peers
  [ -d "$PEERS" ] || PEERS=extra/peers
fi
if [ -x ./node ]; then PATH=$PWD:$PATH; fi # a Node that came along
if [ -s dist/commit ]; then SUBPIXEL_COMMIT=$(cat dist/commit) && export SUBPIXEL_COMMIT; fi
export NO_COLOR=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -f dist/cli/main.js ] || { echo 'gpu.sh: no dist/: npm run build makes it' >&2; exit 1; }

say() { printf '%s\n' "$*" | tee -a "$OUT/summary.$NAME.log"; }
subpixel=(node dist/cli/main.js)

# step NAME SECONDS [SIGNAL] -- COMMAND...: within its own limit and what is left of the whole; the log keeps its output.
failures=0
step() {
  local name=$1 limit=$2 signal=TERM start=$SECONDS status
  shift 2
  if [ "$1" != -- ]; then signal=$1; shift; fi
  shift
  if ((limit > TOTAL - SECONDS)); then limit=$((TOTAL - SECONDS)); fi
  if ((limit < 5)); then say "$name: skipped, no time left"; return; fi
  timeout -k 5 -s "$signal" "$limit" "$@" >"$OUT/$name.$NAME.log" 2>&1
  status=$?
  case $status in
    0) say "$name: done in $((SECONDS - start)) s" ;;
    124 | 130 | 137) say "$name: ended after $((SECONDS - start)) s, its limit being $limit s" ;;
    *) say "$name: FAILED with $status after $((SECONDS - start)) s"; failures=$((failures + 1)) ;;
  esac
  grep -v '^Warning: maxDynamic' "$OUT/$name.$NAME.log" | tail -n "${SHOW:-4}" | sed 's/^/    /'
}

part_tests() {
  if [ ! -d node_modules/vitest ]; then
    if [ ! -f dist/tests.tar.xz ]; then say 'tests: skipped, neither vitest nor dist/tests.tar.xz is there'; return; fi
    tar -xJf dist/tests.tar.xz
  fi
  local arguments=(--reporter=default --reporter=json "--outputFile.json=$work/tests.json")
  [ -d node_modules/playwright-core ] || arguments+=(--exclude 'test/browser/**')
  if [ -n "$QUICK" ]; then arguments+=(test/engine test/bench); fi
  SHOW=12 step tests 175 -- node node_modules/vitest/vitest.mjs run "${arguments[@]}"
  [ ! -f "$work/tests.json" ] || say "tests: $(node scripts/tally.mjs "$work/tests.json" 0 0 0)"
}

part_bench() {
  local device=gpu quick=()
  if [ -n "$QUICK" ]; then device=auto quick=(--quick); fi
  local common=(--device "$device" "${quick[@]}")
  local ops=() recipes=all
  if [ -n "$QUICK" ]; then ops=(--only 'relu,warp') recipes=fstrn-small; fi
  SHOW=60 step doctor 30 -- "${subpixel[@]}" doctor --device "$device"
  SHOW=30 step conv 90 -- "${subpixel[@]}" bench conv "${common[@]}" --out "$OUT/conv.$NAME.json" --html "$OUT/conv.$NAME.html"
  SHOW=90 step ops 50 -- "${subpixel[@]}" bench ops "${common[@]}" "${ops[@]}" --out "$OUT/ops.$NAME.json"
  SHOW=6 step step 40 -- "${subpixel[@]}" bench step "${common[@]}" --recipe "$recipes" --out "$OUT/step.$NAME.json"
  SHOW=10 step overhead 20 -- "${subpixel[@]}" bench overhead "${common[@]}" --out "$OUT/overhead.$NAME.json"
}

part_peers() {
  if [ ! -f "$PEERS/lib/harness.mjs" ]; then say "peers: skipped, no harness in $PEERS (PEERS names its folder)"; return; fi
  local list=worklist-gpu.json only=. groups=('^[A-D]' '^[E-I]' '^[SVZ]') torch=(--modes=f32,tf32,f16)
  if [ -n "$QUICK" ]; then list=worklist.json only='^(d|e)[.]' groups=('^d.fwd') torch=(--modes=f32 --device=cpu); fi
  # The harness writes beside itself.
  mkdir "$work/peers" && cp -r "$PEERS"/*.json "$PEERS/lib" "$PEERS/adapters" "$work/peers/" && chmod -R u+w "$work/peers" || return
  export WORKLIST=$list SUBPIXEL=$PWD QUIET_MS=1000
  SHOW=40 step worklist 150 -- node "$work/peers/adapters/subpixel.mjs" "--only=$only"
  cp "$work"/peers/results/subpixel*.json "$OUT/worklist.$NAME.json" 2>/dev/null
  if ! python3 -c "import torch; assert torch.cuda.is_available() or '$QUICK'" 2>/dev/null; then
    say 'PyTorch: skipped, python3 has no torch that sees a GPU'
    return
  fi
  # Its results appear at the end of a run: some items each, so that a slow group costs only itself.
  for i in "${!groups[@]}"; do
    SHOW=20 step "pytorch$i" 45 -- python3 "$work/peers/adapters/pytorch_gpu.py" "--list=$list" "--only=${groups[i]}" \
      "${torch[@]}" "--out=$OUT/pytorch$i.$NAME.json"
  done
}

part_train() {
  local limit=40 device=gpu smaller=()
  if [ -n "$QUICK" ]; then limit=15 device=auto smaller=(--set data.crop=32 net.width=8 --batch 1); fi
  step draw 20 -- node scripts/draw-clip.mjs "$work/clip"
  for recipe in fstrn-small fstrn; do
    # An interruption saves and reports, as Ctrl-C does.
    SHOW=8 step "train-$recipe" "$limit" INT -- \
      "${subpixel[@]}" train "$recipe" --device "$device" "${smaller[@]}" --data "$work/clip" --out "$work/$recipe"
    tail -n 2 "$work/$recipe/metrics.jsonl" 2>/dev/null | sed 's/^/    /' | tee -a "$OUT/summary.$NAME.log"
    cp "$work/$recipe/metrics.jsonl" "$OUT/metrics-$recipe.$NAME.log" 2>/dev/null
  done
}

: >"$OUT/summary.$NAME.log"
say "$(date -u +%FT%TZ), commit $(git rev-parse --short HEAD 2>/dev/null || echo "${SUBPIXEL_COMMIT:-unknown}")"
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | while read -r line; do say "$line"; done
for part in "${@:-tests bench peers train}"; do
  # shellcheck disable=SC2086 # the default is a list of words
  for name in $part; do "part_$name"; done
done
results=("$OUT"/{conv,ops,step,overhead,worklist,pytorch*}."$NAME".json)
existing=()
for file in "${results[@]}"; do if [ -f "$file" ]; then existing+=("$file"); fi; done
if [ "${#existing[@]}" -gt 0 ]; then
  step compare 30 -- "${subpixel[@]}" bench compare "${existing[@]}" --out "$OUT/compared.$NAME"
fi
say "all in $SECONDS s, $failures failed; results in $OUT"
exit $((failures > 0))
