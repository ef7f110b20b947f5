import { BlobSource, CanvasSink, Input, MATROSKA, MP4, QTFF, UnsupportedInputFormatError, WEBM } from 'mediabunny';
import type { Planes } from '../../train/degrade.ts';
import { type LabClip, LEAST, MOST, planesOf } from './clip.ts';

/**
 * The first frames of a video of the reader's, scaled down to MOST where it is larger, and cut where it is too narrow. It never leaves the page: WebCodecs
 * decodes it here.
 * @throws {Error} that says what the file is, where it is no video that this browser decodes
 */
export async function readVideo(file: File): Promise<LabClip> {
  const input = new Input({ source: new BlobSource(file), formats: [MP4, QTFF, WEBM, MATROSKA] });
  try {
    const track = await input.getPrimaryVideoTrack();
    if (!track) throw new Error(`${file.name} holds no video`);
    if (!(await track.canDecode()))
      throw new Error(`this browser cannot decode the video in ${file.name} (${track.codec ?? 'unknown codec'})`);
    const shrink = Math.min(1, MOST.width / track.displayWidth, MOST.height / track.displayHeight);
    const [width, height] = [track.displayWidth, track.displayHeight].map((n) =>
      Math.max(4 * Math.floor((n * shrink) / 4), LEAST),
    );
    const frames: Planes[] = [];
    for await (const { canvas } of new CanvasSink(track, { width, height, fit: 'cover' }).canvases()) {
      const context = canvas.getContext('2d') as CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;
      frames.push(planesOf(context.getImageData(0, 0, width, height).data, width, height));
      if (frames.length === MOST.frames) break;
    }
    if (frames.length === 0) throw new Error(`${file.name} has no frame`);
    return { name: file.name, width, height, frames };
  } catch (error) {
    if (error instanceof UnsupportedInputFormatError) {
      throw new Error(`${file.name} is no MP4, MOV, WebM or Matroska file`, { cause: error });
    }
    throw error;
  } finally {
    input.dispose();
  }
}
