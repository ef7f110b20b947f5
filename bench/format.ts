/** Numbers as tables and pages show them. */
export const number = (n: number): string => (n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2));
export const milliseconds = (t: number): string =>
  Math.abs(t) >= 100 ? t.toFixed(0) : Math.abs(t) >= 1 ? t.toFixed(2) : t.toFixed(3);
export const percent = (share: number): string => `${Math.round(100 * share) || 0} %`; // never -0
export const times = (ratio: number | null): string => (ratio === null ? '-' : `${ratio.toFixed(2)}x`);
/** Half a confidence interval, as a share. */
export const margin = (share: number): string => `±${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
