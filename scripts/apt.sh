# Debian packages, for setup.sh (installed, as root) and unpack-debs.sh (unpacked into a folder, without root). Sourced.

have_apt() { command -v apt-get >/dev/null; }
am_root() { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
codename() { (. /etc/os-release && echo "${VERSION_CODENAME:-}"); }

# Debian 12's own Mesa (22.3) lacks a Vulkan feature that Dawn demands; its backports have 25.0. Naming the release in
# the package, instead of apt's -t, leaves all other packages as they are.
mesa_packages() {
  if [ "$(codename)" = bookworm ]; then
    echo mesa-vulkan-drivers/bookworm-backports libvulkan1
  else
    echo mesa-vulkan-drivers libvulkan1
  fi
}

# backports_line APT_OPTION...: the source line for bookworm-backports on the mirror that this machine uses; empty where
# it is not needed or already there. Needs downloaded package lists.
backports_line() {
  [ "$(codename)" = bookworm ] || return 0
  apt-get "$@" indextargets --format '$(CODENAME) $(REPO_URI)' |
    awk '$1 == "bookworm-backports" { found = 1 }
         $1 == "bookworm" && !uri { uri = $2 }
         END { if (uri && !found) print "deb " uri " bookworm-backports main" }'
}

apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@"; }

apt_updated=
# A third party's source that does not answer must not stop us: what is really missing shows at the installation.
apt_update() {
  apt -o Acquire::Retries=2 update || true
  apt_updated=yes
}

apt_install() {
  [ -n "$apt_updated" ] || apt_update
  # apt prints hundreds of lines, of interest only when it fails.
  local log
  if log=$(apt install -y --no-install-recommends "$@" 2>&1); then return; fi
  echo "$log" >&2
  return 1
}

install_mesa() {
  local line
  apt_update
  line=$(backports_line)
  if [ -n "$line" ]; then
    echo "$line" | as_root tee /etc/apt/sources.list.d/bookworm-backports.list >/dev/null
    apt_update
  fi
  # shellcheck disable=SC2046 # a list of packages
  apt_install $(mesa_packages)
}

# Without root: unpacks the packages that an installation would add, and a manifest for the Vulkan loader that names the
# driver relative to itself, so that the project can be moved.
unpack_mesa() {
  local into=$1 driver
  # shellcheck disable=SC2046 # a list of packages
  bash scripts/unpack-debs.sh --needed "$into" $(mesa_packages) || return
  driver=$(cd "$into" && ls usr/lib/*/libvulkan_lvp.so) || return
  printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "./%s", "api_version": "1.3.0"}}\n' "$driver" \
    >"$into/lvp_icd.json"
}
