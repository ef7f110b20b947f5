import { type ProceduralClip, proceduralClip } from '../../train/procedural.ts';

// Drawing takes most of a second, for which the page would not answer.
addEventListener('message', ({ data }: MessageEvent<ProceduralClip>) => postMessage(proceduralClip(data)));
