#!/usr/bin/env bash
# unpack-debs.sh [--needed] FOLDER PACKAGE...
# Downloads Debian packages and unpacks them into FOLDER, without root and without installing anything; FOLDER appears
# only when it is complete. With --needed also the packages they depend on and this system lacks.
set -euo pipefail
source "$(dirname "$0")/apt.sh"

needed=
if [ "$1" = --needed ]; then needed=yes; shift; fi
into=$1
shift

mkdir -p "$(dirname "$into")"
into=$(cd "$(dirname "$into")" && pwd)/$(basename "$into")
work=$(mktemp -d "$into.XXXXXX")
trap 'rm -rf "$work"' EXIT

# download APT_OPTION... -- PACKAGE...: into the working folder, by the lists that the options point to.
download() {
  local options=() packages
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  shift
  packages=$*
  if [ -n "$needed" ]; then
    packages=$(apt-get "${options[@]}" -s --no-install-recommends install "$@" |
      sed -nE 's/^Inst ([^ ]+) (\[[^]]*\] )?\(([^ ]+).*/\1=\3/p')
    [ -n "$packages" ] || return
  fi
  # shellcheck disable=SC2086 # a list of packages
  (cd "$work/debs" && apt-get "${options[@]}" download $packages)
}

# The system's own lists may be missing (as in container images) or old: then private copies of lists and sources serve.
refresh() {
  mkdir -p "$work"/{lists,cache/archives}/partial "$work/sources"
  cat /etc/apt/sources.list >"$work/sources.list" 2>/dev/null || true
  cp /etc/apt/sources.list.d/* "$work/sources/" 2>/dev/null || true
  private+=(-o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o Debug::NoLocking=1
    -o "Dir::Etc::sourcelist=$work/sources.list" -o "Dir::Etc::sourceparts=$work/sources")
  apt-get "${private[@]}" update || true # a third party's source may fail
  local line
  line=$(backports_line "${private[@]}")
  if [ -n "$line" ]; then
    echo "$line" >"$work/sources/bookworm-backports.list"
    apt-get "${private[@]}" update || true
  fi
}

private=(-qq -o APT::Sandbox::User=root) # as root apt would download as another user, who may not write here
mkdir "$work/debs" "$work/files"
if ! download "${private[@]}" -- "$@" 2>/dev/null; then
  refresh
  download "${private[@]}" -- "$@"
fi
for deb in "$work"/debs/*.deb; do dpkg -x "$deb" "$work/files"; done
rm -rf "$into"
mv "$work/files" "$into"
