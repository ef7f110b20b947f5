/** "1 frame", "12 frames". */
export const counted = (n: number, thing: string): string => `${n} ${thing}${n === 1 ? '' : 's'}`;

/** A gain over bicubic in words: "0.43 dB above bicubic", "0.10 dB below bicubic". */
export function besideBicubic(gain: number): string {
  const size = Math.abs(gain).toFixed(2);
  if (Number(size) === 0 || Number.isNaN(gain)) return 'as good as bicubic'; // NaN: both without any error
  return `${size} dB ${gain > 0 ? 'above' : 'below'} bicubic`;
}
