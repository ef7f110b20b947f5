import type { Planes } from '../../../train/degrade.ts';
import { type Outcome, useHost } from '../../lab/hooks.ts';
import type { Pair } from './flow-worker.ts';

/** Estimated flow of pairs of pictures, in a thread of its own, so that the page stays free. */
export const useFlows = (pairs: readonly Pair[] | undefined): Outcome<readonly Planes[]> =>
  useHost((signal) => pairs && estimate(pairs, signal), [pairs]);

/** @param signal ends the thread early */
function estimate(pairs: readonly Pair[], signal: AbortSignal): Promise<readonly Planes[]> {
  const worker = new Worker(new URL('./flow-worker.ts', import.meta.url), { type: 'module' });
  signal.addEventListener('abort', () => worker.terminate());
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<readonly Planes[]>) => {
      worker.terminate();
      resolve(data);
    };
    worker.onerror = ({ message }) => reject(new Error(`the optical flow failed: ${message}`));
    worker.postMessage(pairs);
  });
}
