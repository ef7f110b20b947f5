import type { StateDict } from '../engine/nn/module.ts';
import type { Recipe } from './recipe.ts';
import type { TrainerState } from './trainer.ts';

/** The `format` in the metadata of a file that holds a network and its settings, and nothing of a run. */
export const WEIGHTS = 'subpixel-weights-1';

/** What such a file holds of a run: averaged weights where it averages. Neither a time nor a path: equal runs give equal bytes. */
export function weightsOf(
  { tensors, progress }: TrainerState,
  recipe: Recipe,
): { readonly tensors: StateDict; readonly metadata: Record<string, string> } {
  const { name, ...config } = recipe.net;
  const metadata = {
    ...{ format: WEIGHTS, net: name, config: JSON.stringify(config) },
    ...{ recipe: recipe.name, iteration: String(progress.iteration), degradation: recipe.data.degradation },
    frames: String(recipe.data.frames),
  };
  return { tensors: usable(tensors), metadata };
}

/** The network's tensors, averages in the place of what is averaged: running statistics are not. */
function usable(tensors: StateDict): StateDict {
  const own = [...tensors].filter(([name]) => name.startsWith('net.'));
  const names = own.map(([name, tensor]) => [name.slice('net.'.length), tensor] as const);
  return new Map(names.map(([name, tensor]) => [name, tensors.get(`ema.${name}`) ?? tensor]));
}
