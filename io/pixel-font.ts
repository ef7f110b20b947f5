/** Capitals, digits and a few signs of 3x5 pixels: a row an octal digit, top to bottom, the left pixel its highest bit. */
const GLYPHS: Record<string, string> = {
  ...{ A: '25755', B: '65656', C: '34443', D: '65556', E: '74647', F: '74644', G: '34553', H: '55755', I: '72227' },
  ...{ J: '11152', K: '55655', L: '44447', M: '57755', N: '65555', O: '25552', P: '65644', Q: '25573', R: '65655' },
  ...{ S: '34216', T: '72222', U: '55557', V: '55552', W: '55775', X: '55255', Y: '55222', Z: '71247', 0: '75557' },
  ...{ 1: '26227', 2: '71747', 3: '71317', 4: '55711', 5: '74717', 6: '74757', 7: '71111', 8: '75757', 9: '75717' },
  ...{ '.': '00002', '+': '02720', '-': '00700', '/': '11244' },
};

export const textWidth = (text: string, size: number): number => 4 * size * text.length;

/** Writes on interleaved RGB, top left at (x, y), a font pixel `size` pixels wide. What lies outside is left out. */
export function drawText(
  { width, height, data }: { width: number; height: number; data: Uint8Array },
  text: string,
  [x, y]: readonly [number, number],
  size: number,
  colour: readonly [number, number, number],
): void {
  for (const [i, letter] of [...text.toUpperCase()].entries()) {
    for (const [row, bits] of [...(GLYPHS[letter] ?? '')].entries()) {
      for (let at = 0; at < 3 * size * size; at++) {
        const [column, line] = [at % (3 * size), Math.floor(at / (3 * size))];
        if (((Number(bits) >> (2 - Math.floor(column / size))) & 1) === 0) continue;
        const [px, py] = [x + 4 * size * i + column, y + row * size + line];
        if (px >= 0 && px < width && py >= 0 && py < height) data.set(colour, 3 * (py * width + px));
      }
    }
  }
}
