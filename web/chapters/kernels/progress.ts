/** How far a reader came with one puzzle. */
export interface Progress {
  readonly text?: string;
  readonly hints?: number;
  readonly solved?: boolean;
}

const KEY = 'subpixel.puzzles';

/** What this browser remembers, by puzzle. */
export function loadProgress(): Record<string, Progress> {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return typeof kept === 'object' && kept !== null ? (kept as Record<string, Progress>) : {};
  } catch {
    return {}; // no storage, or something else's
  }
}

export function saveProgress(all: Record<string, Progress>): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(all));
  } catch {
    // a browser that remembers nothing
  }
}
