import { existsSync, readFileSync } from 'node:fs';

/** What to type on this system to get a software WebGPU adapter (Mesa's lavapipe), as one command. */
export function adapterAdvice(): string {
  if (process.platform === 'darwin') return 'macOS has Metal built in: no adapter means a machine without a usable GPU';
  if (process.platform === 'win32') return 'install a current driver of the graphics card (Direct3D 12 or Vulkan)';
  const system = osRelease();
  const family = `${system.ID ?? ''} ${system.ID_LIKE ?? ''}`;
  if (system.VERSION_CODENAME === 'bookworm') {
    // Bookworm's own Mesa 22.3 is refused by Dawn; its backports have 25.0.
    return (
      "echo 'deb http://deb.debian.org/debian bookworm-backports main' | sudo tee /etc/apt/sources.list.d/bookworm-backports.list" +
      ' && sudo apt-get update && sudo apt-get install -y mesa-vulkan-drivers/bookworm-backports libvulkan1'
    );
  }
  if (/debian|ubuntu/.test(family))
    return 'sudo apt-get update && sudo apt-get install -y mesa-vulkan-drivers libvulkan1';
  if (/fedora|rhel|centos/.test(family)) return 'sudo dnf install -y mesa-vulkan-drivers vulkan-loader';
  if (/arch/.test(family)) return 'sudo pacman -S --needed vulkan-swrast vulkan-icd-loader';
  if (/suse/.test(family)) return 'sudo zypper install -y libvulkan_lvp libvulkan1';
  if (/alpine/.test(family)) return 'use an image with glibc, such as node:22-trixie (Dawn is not built for musl)';
  return 'install Mesa 23.2 or newer with its lavapipe Vulkan driver, and the Vulkan loader (libvulkan.so.1)';
}

function osRelease(): Record<string, string> {
  if (!existsSync('/etc/os-release')) return {};
  const lines = readFileSync('/etc/os-release', 'utf8').matchAll(/^(\w+)="?([^"\n]*)"?$/gm);
  return Object.fromEntries(Array.from(lines, ([, key, value]) => [key, value]));
}
