import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { counted } from '../../train/words.ts';
import { clip, clipSaid, DRAWN, drawClip, type LabClip, showClip } from './clip.ts';

function take(file: File | undefined): void {
  if (!file) return;
  void showClip(`Reading ${file.name} …`, async () => (await import('./video.ts')).readVideo(file));
}

/** A file may be dropped anywhere: elsewhere the browser would leave the page for it. */
function useDrops(): void {
  useEffect(() => {
    const ends = new AbortController();
    addEventListener('dragover', (event) => event.preventDefault(), ends);
    const drop = (event: DragEvent) => {
      event.preventDefault();
      take(event.dataTransfer?.files[0]);
    };
    addEventListener('drop', drop, ends);
    return () => ends.abort();
  }, []);
}

const lineOf = ({ name, width, height, frames, goesOn, fitted }: LabClip): string => {
  const size = `${width}x${height}${fitted ? `, ${fitted}` : ''}`;
  return `Clip: ${name}, ${goesOn ? 'the first ' : ''}${counted(frames.length, 'frame')} of ${size}`;
};

/** Which clip the figures look at: the drawn one, or a video of the reader's, dropped or chosen. */
export function ClipChooser(): JSX.Element {
  useDrops();
  const now = clip.value;
  return (
    <div class="clip">
      {now && <span>{lineOf(now)}</span>}
      <label class="button" title="It stays in this page. A file can also be dropped anywhere here.">
        Your video …
        <input
          type="file"
          accept="video/*,.mkv"
          onChange={({ currentTarget }) => {
            take(currentTarget.files?.[0]);
            currentTarget.value = ''; // the same file may be chosen again
          }}
        />
      </label>
      {now && now.name !== DRAWN && (
        <button type="button" onClick={() => void showClip('Drawing …', drawClip)}>
          The drawn clip
        </button>
      )}
      <output>{clipSaid}</output>
    </div>
  );
}
