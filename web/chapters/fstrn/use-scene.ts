import { clip } from '../../lab/clip.ts';
import type { Lab } from '../../lab/device.ts';
import { type Outcome, useLab } from '../../lab/hooks.ts';
import { type Scene, sceneOf } from './run.ts';

/** What `useLab` makes of the scene. Waits for the clip, and until `ready`: what is to be seen first comes first. */
export function useScene<T>(
  work: (lab: Lab, scene: Scene, signal: AbortSignal) => Promise<T>,
  inputs: readonly unknown[],
  ready = true,
): Outcome<T> {
  const now = clip.value;
  return useLab(
    async (lab, signal) => (now && ready ? work(lab, await sceneOf(now), signal) : undefined),
    [now, ready, ...inputs],
  );
}
