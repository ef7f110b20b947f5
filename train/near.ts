/** ", did you mean a?" where one is close; else "; there are: a, b". For messages about unknown names. */
export function nearest(name: string, known: readonly string[]): string {
  const ranked = known.map((k) => ({ k, d: editDistance(name, k) })).sort((a, b) => a.d - b.d);
  const [best] = ranked;
  if (best && best.d <= Math.max(2, name.length / 3)) return `, did you mean ${best.k}?`;
  return `; there are: ${known.join(', ')}`;
}

/** Insertions, deletions and substitutions from a to b (Wagner, Fischer 1974). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}
