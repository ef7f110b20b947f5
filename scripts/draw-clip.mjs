// draw-clip.mjs FOLDER [FRAMES [SEED [WIDTHxHEIGHT]]]: a drawn clip as PNG pictures, which need no ffmpeg. After a build.
import { mkdirSync, writeFileSync } from 'node:fs';
import { PNG } from 'pngjs';
import { proceduralClip } from '../dist/train/procedural.js';

const [folder, frames = '60', seed = '1', size = '480x272'] = process.argv.slice(2);
const [width, height] = size.split('x').map(Number);
mkdirSync(folder, { recursive: true });
for (const [i, data] of proceduralClip({ width, height, frames: Number(frames), seed: Number(seed) }).entries()) {
  const png = PNG.sync.write({ width, height, data }, { colorType: 2, inputColorType: 2, inputHasAlpha: false });
  writeFileSync(`${folder}/${String(i).padStart(4, '0')}.png`, png);
}
