import { UsageError } from '../engine/errors.ts';
import { nets } from '../nets/index.ts';
import { nearest } from './near.ts';
import { type Recipe, recipe } from './recipe.ts';
import { b123t } from './recipes/b123t.ts';
import { dbpn } from './recipes/dbpn.ts';
import { duf, duf16, duf28 } from './recipes/duf.ts';
import { esrgan } from './recipes/esrgan.ts';
import { frvsr } from './recipes/frvsr.ts';
import { fstrn, fstrnSmall } from './recipes/fstrn.ts';
import { msrresnet } from './recipes/msrresnet.ts';
import { rbpn } from './recipes/rbpn.ts';
import { rcan } from './recipes/rcan.ts';
import { spmc } from './recipes/spmc.ts';
import { srgan } from './recipes/srgan.ts';
import { srresnet } from './recipes/srresnet.ts';
import { vdsr } from './recipes/vdsr.ts';
import { vespcn } from './recipes/vespcn.ts';

export { checkRecipe, type Recipe } from './recipe.ts';

/** How networks are trained, by name: as their papers did, in so far as one loss between result and truth can. */
export const recipes: Readonly<Record<string, Recipe>> = Object.fromEntries(
  [
    ...[fstrn, fstrnSmall, vdsr, srresnet, srgan, msrresnet, esrgan, rcan, dbpn],
    ...[vespcn, spmc, b123t, frvsr, duf, duf28, duf16, rbpn],
  ].map((one) => [one.name, one]),
);

/** @throws {UsageError} that lists the names */
export function recipeNamed(name: string): Recipe {
  if (Object.hasOwn(recipes, name)) return recipes[name];
  throw new UsageError(`no recipe is called ${name}${nearest(name, Object.keys(recipes))}`);
}

/** A recipe by its name, or what most have in common for a network that has none. Undefined where neither exists. */
export function recipeOrNet(name: string): Recipe | undefined {
  if (Object.hasOwn(recipes, name)) return recipes[name];
  return Object.hasOwn(nets, name)
    ? recipe({ name, iterations: 100_000, net: { name, ...nets[name].defaults } })
    : undefined;
}
