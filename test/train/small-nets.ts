const tinyDuf = { layers: 16, growth: 4, width: 8, head: 8 };

/** Settings that make each network so small that it runs in a blink. */
export const smallSettings: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  b123t: { width: 8, narrow: 4, frames: 3 },
  dbpn: { features: 8, width: 4, stages: 2 },
  duf: tinyDuf,
  'duf-16': tinyDuf,
  'duf-28': tinyDuf,
  esrgan: { width: 8, blocks: 1, growth: 4 },
  'esrgan-slim': {},
  frvsr: { width: 8, blocks: 1, flowWidth: 4 },
  fstrn: { width: 8, blocks: 1, dropout: 0 },
  msrresnet: { width: 8, blocks: 1 },
  rbpn: { features: 8, width: 4, blocks: 1, frames: 3 },
  rcan: { width: 8, groups: 1, blocks: 1, reduction: 4 },
  spmc: { width: 4, flowWidth: 4 },
  srgan: { width: 8, blocks: 1 },
  srresnet: { width: 8, blocks: 1 },
  vdsr: { width: 8, layers: 4 },
  vespcn: { width: 8, layers: 4, flowWidth: 4 },
};

/** The same as --set takes them, with samples of as many frames. */
export const asSettings = (net: string): string[] =>
  Object.entries(smallSettings[net]).flatMap(([key, value]) => [
    `net.${key}=${value}`,
    ...(key === 'frames' ? [`data.frames=${value}`] : []),
  ]);
