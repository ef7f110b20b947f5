import { Engine } from '../../engine/engine.ts';
import { readKnobs } from '../../engine/knobs.ts';
import { nodeGpu } from '../../io/gpu.ts';

/** An engine on this machine's adapter (SUBPIXEL_DEVICE=gpu or cpu picks one). Each test file opens its own. */
export async function testEngine(): Promise<Engine> {
  readKnobs(process.env);
  const choice = (process.env.SUBPIXEL_DEVICE ?? 'auto') as 'auto';
  return Engine.create((await nodeGpu(choice)).adapter);
}
