import { tinyTraining } from './training-step.ts';

export default async function (): Promise<{ losses: number[]; adapter: string }> {
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error('no adapter in the browser');
  return { losses: await tinyTraining(adapter), adapter: adapter.info.description || adapter.info.architecture };
}
