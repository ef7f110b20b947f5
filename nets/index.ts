import type { Build, Module } from '../engine/nn/module.ts';
import { Fstrn, type FstrnConfig, fstrnDefaults } from './fstrn.ts';

/** A super-resolution network as the command line sees it. */
export interface Net extends Module {
  readonly config: { readonly channels: number; readonly scale: number };
  /** Multiply-adds for one clip. */
  macs(frames: number, h: number, w: number): number;
  /** Low-resolution pixels around a position that can change its output. */
  readonly spatialReach: number;
}

export interface NetEntry {
  readonly title: string;
  /** Every setting with its default; `--set net.<name>=<value>` changes one. */
  readonly defaults: Readonly<Record<string, unknown>>;
  /** Frames that the network sees at once; it answers for the middle one best. */
  readonly window: number;
  create(build: Build, config: Record<string, unknown>): Net;
}

export const nets: Record<string, NetEntry> = {
  fstrn: {
    title: 'FSTRN, fast spatio-temporal residual network (Li et al., CVPR 2019)',
    defaults: { ...fstrnDefaults },
    window: 5,
    create: (build, config) => new Fstrn(build, config as Partial<FstrnConfig>),
  },
};
