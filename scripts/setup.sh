#!/usr/bin/env bash
# Makes a fresh machine ready: packages, dist/, the laboratory in dist-web/, a WebGPU adapter and ffmpeg; with --tests also Chromium.
# Does only what is missing, says what it does and how long it took. A second run changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/apt.sh

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# step NAME FUNCTION: the function leaves in `result` what it found or did.
step() {
  local name=$1 function=$2 start=$SECONDS
  "$function" || fail "$name failed (see above)"
  say "$name: $result ($((SECONDS - start)) s)"
}

packages() {
  # The stamp is the lock file of the last complete installation, kept inside what it installed.
  local stamp=node_modules/.installed-lock.json
  if cmp -s package-lock.json "$stamp"; then
    result='up to date'
    return
  fi
  say 'packages: npm ci ...'
  npm ci --include=dev --include=optional || return
  cp package-lock.json "$stamp"
  result='installed from the lock file'
}

# npx looks there first; without it, an npx that ran before set-up has npm remember that there is no such command.
link_command() { ln -sf ../../dist/cli/main.js node_modules/.bin/subpixel; }

# current MADE SOURCE...: nothing is newer than what was made of it.
current() { [ -f "$1" ] && [ -z "$(find "${@:2}" -newer "$1" -print -quit 2>/dev/null)" ]; }

bundle() {
  link_command
  if current dist/io/gpu.js package.json scripts/build.mjs shaders engine nets train io bench cli; then
    result='dist/ is current'
    return
  fi
  node scripts/build.mjs || return
  result='dist/ built'
}

laboratory() {
  if current dist-web/index.html package.json vite.config.ts shaders engine nets train web; then
    result='dist-web/ is current'
    return
  fi
  node node_modules/vite/bin/vite.js build --logLevel warn || return
  result='dist-web/ built'
}

adapter() {
  if result=$(node scripts/probe.mjs 2>/dev/null); then return; fi
  if have_apt && am_root; then
    say "WebGPU adapter: none yet; installing Mesa's lavapipe and the Vulkan loader by apt ..."
    install_mesa || say 'apt did not succeed'
  elif have_apt && [ ! -e .subpixel/mesa/lvp_icd.json ]; then
    say "WebGPU adapter: none yet, and no root; unpacking Mesa's lavapipe into .subpixel/mesa ..."
    unpack_mesa .subpixel/mesa || say 'no packages could be fetched'
  fi
  if result=$(node scripts/probe.mjs 2>/dev/null); then return; fi
  fail "${result:-node scripts/probe.mjs crashed}" # says what to install on this system
}

ffmpeg_binary() {
  if result=$(command -v ffmpeg); then return; fi
  if have_apt && am_root; then
    say 'ffmpeg: installing by apt ...'
    if apt_install ffmpeg; then
      result=$(command -v ffmpeg)
      return
    fi
  fi
  result=$(ls node_modules/@ffmpeg-installer/*/ffmpeg 2>/dev/null | head -n 1)
  [ -n "$result" ] || fail 'no ffmpeg: install it with the package manager of this system (sudo apt-get install -y ffmpeg)'
}

# Browser tests say themselves why they are skipped, so this one may fail.
chromium_binary() {
  if result=$(command -v chromium || command -v chromium-browser || command -v google-chrome); then return; fi
  result='none: the browser tests will be skipped (sudo apt-get install -y chromium)'
  if have_apt && am_root; then
    say 'Chromium: installing by apt ...'
    if apt_install chromium; then result=$(command -v chromium); fi
  fi
}

node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' 2>/dev/null ||
  fail "Node.js 20 or newer is needed, found $(node --version 2>/dev/null || echo none): https://nodejs.org/en/download"

step 'packages' packages
step 'build' bundle
step 'laboratory' laboratory
step 'WebGPU adapter' adapter
step 'ffmpeg' ffmpeg_binary
if [ "${1:-}" = --tests ]; then step 'Chromium' chromium_binary; fi
say "ready after $SECONDS s"
