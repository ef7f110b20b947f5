import { useState } from 'preact/hooks';
import { bicubicUpscale, degrade, degradeBytes, type Planes } from '../../../train/degrade.ts';
import {
  compareFrame,
  DEFAULT_PROTOCOL,
  type FrameScore,
  PROTOCOLS,
  type Protocol,
  type Quantise,
  type SsimVariant,
} from '../../../train/metrics.ts';
import { breathe } from '../../lab/device.ts';
import { lastOf, useHost } from '../../lab/hooks.ts';
import { Choice, Figure, Slider, Value, Values } from '../../lab/ui.tsx';
import { decibels, rounded, useSquare } from './pictures.ts';

const SCALE = 4;
const channels = { y: 'luminance', rgb: 'RGB' } as const;
const results: Readonly<Record<Exclude<Quantise, 'clip'>, string>> = {
  round: 'rounded to 8 bits',
  truncate: 'truncated',
  none: 'as it is',
};
const lows: Readonly<Record<Protocol['lowResolution'], string>> = {
  round: 'rounded to 8 bits',
  passes: 'rounded after each pass',
  none: 'as it is',
};
const windows: Readonly<Record<SsimVariant, string>> = {
  matlab: 'Gaussian',
  skimage: '7x7 square',
  pytorch: 'Gaussian, zeros outside',
};

/** Protocols of well-known papers that differ on one picture. */
const named = ['duf', 'vdsr', 'rcan', 'fstrn', 'duf-code', 'iseebetter'] as const;

/** Bicubic down and up of one picture, scored as the protocol says. */
export function scored(square: Planes, protocol: Protocol): FrameScore {
  const { width, height, data } = square;
  const exact = () => degrade(data, width, height, 'bicubic', SCALE);
  const low = {
    none: exact,
    round: () => rounded(exact()),
    passes: () => degradeBytes(data, width, height, SCALE),
  }[protocol.lowResolution]();
  return compareFrame(square, bicubicUpscale(low.data, low.width, low.height, SCALE), protocol);
}

/** One picture and one enlargement, under every protocol. */
export function Protocols() {
  const [protocol, setProtocol] = useState(DEFAULT_PROTOCOL);
  const change = (part: Partial<Protocol>) => setProtocol((now) => ({ ...now, ...part }));
  const square = useSquare();
  const outcome = useHost(() => square && scored(square, protocol), [square, protocol]);
  const score = lastOf(outcome);
  const usual = lastOf(
    useHost(
      async (signal) => {
        const scores: FrameScore[] = [];
        for (const name of named) {
          if (!square || signal.aborted) return undefined;
          scores.push(scored(square, PROTOCOLS[name](SCALE)));
          await breathe();
        }
        return scores;
      },
      [square],
    ),
  );
  const spread = usual && Math.max(...usual.map(({ psnr }) => psnr)) - Math.min(...usual.map(({ psnr }) => psnr));
  return (
    <Figure id="protocols" title="One enlargement, and the scores it could be given" outcome={outcome}>
      <Choice label="Channel" value={protocol.channel} of={channels} onChange={(channel) => change({ channel })} />
      <Slider
        label="Border left out"
        value={protocol.border[0]}
        min={0}
        max={16}
        show={(n) => `${n} pixels`}
        onChange={(n) => change({ border: [n, n, n, n] })}
      />
      <Choice
        label="Result"
        value={protocol.quantise as keyof typeof results}
        of={results}
        onChange={(quantise) => change({ quantise })}
      />
      <Choice
        label="Low resolution"
        value={protocol.lowResolution}
        of={lows}
        onChange={(lowResolution) => change({ lowResolution })}
      />
      <Choice
        label="Window of SSIM"
        value={protocol.ssimVariant}
        of={windows}
        onChange={(ssimVariant) => change({ ssimVariant })}
      />
      <Values>
        <Value name="PSNR">{decibels(score)}</Value>
        <Value name="SSIM">{score?.ssim.toFixed(4) ?? '…'}</Value>
      </Values>
      <table>
        <caption>One picture, made small and enlarged again, under protocols that papers used</caption>
        <thead>
          <tr>
            <th scope="col">Protocol</th>
            <th scope="col">PSNR</th>
            <th scope="col">SSIM</th>
          </tr>
        </thead>
        <tbody>
          {named.map((name, i) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{decibels(usual?.[i])}</td>
              <td>{usual?.[i].ssim.toFixed(4) ?? '…'}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <Values>
        <Value name="between the lowest and the highest">{spread ? `${spread.toFixed(2)} dB` : '…'}</Value>
      </Values>
    </Figure>
  );
}
