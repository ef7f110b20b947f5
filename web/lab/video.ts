import {
  BlobSource,
  CanvasSink,
  EncodedPacketSink,
  Input,
  type InputVideoTrack,
  MATROSKA,
  MP4,
  QTFF,
  UnsupportedInputFormatError,
  WEBM,
} from 'mediabunny';
import type { Planes } from '../../train/degrade.ts';
import { counted } from '../../train/words.ts';
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
    if (!track) throw new Error(`${file.name} breaks off, or holds no video`);
    if (!(await track.canDecode()))
      throw new Error(
        `this browser cannot decode the video in ${file.name} (${track.codec ?? 'unknown codec'}): convert it: ` +
          `ffmpeg -i in.mp4 ${track.codec === 'avc' ? '-c:v libvpx-vp9 out.webm' : '-c:v libx264 -pix_fmt yuv420p out.mp4'}`,
      );
    const shrink = Math.min(1, MOST.width / track.displayWidth, MOST.height / track.displayHeight);
    const [width, height] = [track.displayWidth, track.displayHeight].map((n) =>
      Math.max(4 * Math.floor((n * shrink) / 4), LEAST),
    );
    const frames: Planes[] = [];
    let goesOn = false;
    let amiss = '';
    try {
      for await (const { canvas } of new CanvasSink(track, { width, height, fit: 'cover' }).canvases()) {
        goesOn = frames.length === MOST.frames;
        if (goesOn) break;
        const context = canvas.getContext('2d') as CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;
        frames.push(planesOf(context.getImageData(0, 0, width, height).data, width, height));
      }
      if (frames.length < MOST.frames && (await breaksOff(input, track))) amiss = 'the file breaks off';
    } catch {
      amiss = 'the file breaks off, or is damaged there';
    }
    if (frames.length === 0) throw new Error(`${file.name} breaks off, or has no frame that can be decoded`);
    return {
      ...{ name: file.name, width, height, frames, goesOn, fitted: fittingOf(track, width, height) },
      said: amiss && `${counted(frames.length, 'frame')} of ${file.name} can be read: ${amiss}`,
    };
  } catch (error) {
    if (error instanceof UnsupportedInputFormatError) {
      throw new Error(`${file.name} is no MP4, MOV, WebM or Matroska file`, { cause: error });
    }
    throw error;
  } finally {
    input.dispose();
  }
}

/** What CanvasSink does to a track's frames to cover this size. */
function fittingOf({ displayWidth, displayHeight }: InputVideoTrack, width: number, height: number): string {
  const scale = Math.max(width / displayWidth, height / displayHeight);
  const over = Math.max(scale * displayWidth - width, scale * displayHeight - height);
  const done = [scale < 1 && 'reduced', scale > 1 && 'enlarged', over >= 1 && 'cut'].filter(Boolean);
  return done.length > 0 ? `${done.join(' and ')} from ${displayWidth}x${displayHeight}` : '';
}

/** Seconds by which a file may be shorter than it says. */
const SHORT = 0.5;

/** Whether a file ends before its video does: an index in front lists packets that are not there, or it says that it is longer. */
async function breaksOff(input: Input, track: InputVideoTrack): Promise<boolean> {
  let read = 0;
  for await (const _ of new EncodedPacketSink(track).packets()) read++;
  const { packetCount } = await track.computePacketStats();
  const [said, found] = [await input.getDurationFromMetadata(), await input.computeDuration()];
  return read < packetCount || (said ?? 0) - found > SHORT;
}
