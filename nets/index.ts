import { UsageError } from '../engine/errors.ts';
import { entry as b123t } from './b123t.ts';
import { entry as bnInception } from './bn-inception.ts';
import { entry as dbpn, entryS as dbpnS } from './dbpn.ts';
import { entry as duf, entry16 as duf16, entry28 as duf28 } from './duf.ts';
import { entry as easyflow } from './easyflow.ts';
import { entry as esrgan, discriminatorEntry as esrganDiscriminator } from './esrgan.ts';
import { entry as flownet2, entryC as flownet2C, entryS as flownet2S, entrySD as flownet2SD } from './flownet2.ts';
import { entry as frvsr } from './frvsr.ts';
import { entry as fstrn } from './fstrn.ts';
import { entry as msrresnet } from './msrresnet.ts';
import type { Net, NetEntry } from './net.ts';
import { entry as rbpn } from './rbpn.ts';
import { entry as rcan } from './rcan.ts';
import { entry as esrganSlim } from './rdn-slim.ts';
import { entry as resnet50 } from './resnet50.ts';
import { entry as spmc } from './spmc.ts';
import { entry as srgan, discriminatorEntry as srganDiscriminator, srresnetEntry as srresnet } from './srgan.ts';
import { entry as stResnet } from './st-resnet.ts';
import { entry as vdsr } from './vdsr.ts';
import { entry as vespcn } from './vespcn.ts';
import { vgg16Entry as vgg16, vgg19Entry as vgg19 } from './vgg.ts';

/** Every network by its name. */
export const nets: Readonly<Record<string, NetEntry>> = {
  b123t,
  'bn-inception': bnInception,
  dbpn,
  'dbpn-s': dbpnS,
  duf,
  'duf-16': duf16,
  'duf-28': duf28,
  easyflow,
  esrgan,
  'esrgan-discriminator': esrganDiscriminator,
  'esrgan-slim': esrganSlim,
  flownet2,
  'flownet2-c': flownet2C,
  'flownet2-s': flownet2S,
  'flownet2-sd': flownet2SD,
  frvsr,
  fstrn,
  msrresnet,
  rbpn,
  rcan,
  resnet50,
  srgan,
  'srgan-discriminator': srganDiscriminator,
  srresnet,
  spmc,
  'st-resnet': stResnet,
  vdsr,
  vespcn,
  vgg16,
  vgg19,
};

/** Those that enlarge pictures, which upscale, eval and train take. */
export const srNets: Readonly<Record<string, NetEntry<Net>>> = Object.fromEntries(
  Object.entries(nets).filter((item): item is [string, NetEntry<Net>] => item[1].task === 'super-resolution'),
);

/** The network that a recipe names. @throws {UsageError} when none that enlarges is called so */
export function netNamed(name: unknown): NetEntry<Net> {
  if (typeof name !== 'string' || !Object.hasOwn(srNets, name)) {
    throw new UsageError(`net.name: expected one of ${Object.keys(srNets).join(', ')}, got ${JSON.stringify(name)}`);
  }
  return srNets[name];
}
