// draw-clip.mjs FOLDER [FRAMES]: the drawn clip as PNG pictures, which need no ffmpeg. After a build.
import { mkdirSync, writeFileSync } from 'node:fs';
import { PNG } from 'pngjs';
import { proceduralClip } from '../dist/train/procedural.js';

const [folder, frames = '60'] = process.argv.slice(2);
const [width, height] = [480, 272];
mkdirSync(folder, { recursive: true });
for (const [i, data] of proceduralClip({ width, height, frames: Number(frames) }).entries()) {
  const png = PNG.sync.write({ width, height, data }, { colorType: 2, inputColorType: 2, inputHasAlpha: false });
  writeFileSync(`${folder}/${String(i).padStart(4, '0')}.png`, png);
}
