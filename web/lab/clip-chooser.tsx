import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { clip, drawClip } from './clip.ts';

/** Which clip the figures look at: the drawn one, or a video of the reader's, dropped or chosen. */
export function ClipChooser(): JSX.Element {
  const [said, setSaid] = useState('');
  const take = async (file: File | undefined) => {
    if (!file) return;
    setSaid(`Reading ${file.name} …`);
    try {
      const { readVideo } = await import('./video.ts');
      clip.value = await readVideo(file);
      setSaid('');
    } catch (error) {
      setSaid((error as Error).message);
    }
  };
  const { name, width, height, frames } = clip.value ?? { name: '…', width: 0, height: 0, frames: [] };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a place to drop files on; the button beside it does the same
    <div
      class="clip"
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        void take(event.dataTransfer?.files[0]);
      }}
    >
      <span>
        Clip: {name}, {frames.length} frames of {width}x{height}
      </span>
      <label class="button">
        Your video …
        <input
          type="file"
          accept="video/*"
          onChange={(event) => void take((event.currentTarget as HTMLInputElement).files?.[0])}
        />
      </label>
      {name !== 'drawn' && (
        <button type="button" onClick={() => void drawClip()}>
          The drawn clip
        </button>
      )}
      {said && <output>{said}</output>}
    </div>
  );
}
