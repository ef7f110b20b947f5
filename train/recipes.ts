import { UsageError } from '../engine/errors.ts';
import { srNets } from '../nets/index.ts';
import { nearest } from './near.ts';
import { type Recipe, recipe } from './recipe.ts';
import { fstrn, fstrnSmall } from './recipes/fstrn.ts';
import { vdsr } from './recipes/vdsr.ts';

export { checkRecipe, type Recipe } from './recipe.ts';

/** How networks are trained, by name: as their papers did, in so far as one loss between result and truth can. */
export const recipes: Readonly<Record<string, Recipe>> = Object.fromEntries(
  [fstrn, fstrnSmall, vdsr].map((one) => [one.name, one]),
);

/** @throws {UsageError} that lists the names */
export function recipeNamed(name: string): Recipe {
  if (Object.hasOwn(recipes, name)) return recipes[name];
  throw new UsageError(`no recipe is called ${name}${nearest(name, Object.keys(recipes))}`);
}

/** A recipe by its name, or a common training of a network that has none. Undefined where neither exists. */
export function recipeOrNet(name: string): Recipe | undefined {
  if (Object.hasOwn(recipes, name)) return recipes[name];
  return Object.hasOwn(srNets, name) ? recipe({ name, iterations: 100_000, net: { name } }) : undefined;
}
