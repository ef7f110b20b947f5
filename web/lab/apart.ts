/** How far two results are apart: the largest difference, as a part of the largest value of `b` where that is not zero. */
export function apart(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [most, largest] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    most = Math.max(most, Math.abs(a[i] - b[i]));
    largest = Math.max(largest, Math.abs(b[i]));
  }
  return largest > 0 ? most / largest : most;
}
