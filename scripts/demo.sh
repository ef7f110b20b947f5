#!/usr/bin/env bash
# npm run demo [-- my.mp4]: sets the machine up, then trains a small network and shows what it gained over bicubic.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
bash "$here/scripts/setup.sh"
cd "${INIT_CWD:-$PWD}" # where npm was called, so that relative names mean what the user thinks
exec node "$here/dist/cli/main.js" demo "$@"
