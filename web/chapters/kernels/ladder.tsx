import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Lab } from '../../lab/device.ts';
import { Editor } from '../../lab/editor.tsx';
import { lastOf, type Outcome, useLab } from '../../lab/hooks.ts';
import { Figure, Value, Values } from '../../lab/ui.tsx';
import { climb, type Ladder as Measurement, type Row } from './ladder-measure.ts';
import { type Rung, rungs, sizeText } from './rungs.ts';

/** All rungs, measured one after the other; the table grows meanwhile. */
export function Ladder(): JSX.Element {
  const [again, setAgain] = useState(0);
  const [soFar, setSoFar] = useState<Measurement | undefined>();
  const work = async (lab: Lab, signal: AbortSignal) => {
    setSoFar(undefined);
    try {
      return await climb(lab, signal, setSoFar);
    } finally {
      setSoFar(undefined); // one sample each: what stands in the end took turns
    }
  };
  const outcome = useLab(work, [again]);
  const ladder = soFar ?? lastOf(outcome);
  const known = new Map<Rung, Row>(ladder?.rows.map((row) => [row[0], row]));
  return (
    <Figure id="ladder" title="One layer, computed in many ways" recorded="kernels.png" outcome={outcome}>
      <Values>
        <Value name="Layer">{ladder ? sizeText(ladder.size) : '…'}</Value>
        <Value name="Peak of this device">{ladder ? `${ladder.peak.toFixed(1)} GFLOP/s` : '…'}</Value>
      </Values>
      <div class="rungs">
        <table>
          <thead>
            <tr>
              <th scope="col">Way</th>
              <th scope="col">ms</th>
              <th scope="col">GFLOP/s</th>
              <th scope="col">of peak</th>
              <th scope="col">differs</th>
            </tr>
          </thead>
          {rungs.map((rung) => (
            <RungRow key={rung.id} rung={rung} row={known.get(rung)} peak={ladder?.peak ?? 1} />
          ))}
        </table>
      </div>
      <button type="button" disabled={outcome.kind === 'waiting'} onClick={() => setAgain(again + 1)}>
        Measure again
      </button>
      {stateOf(outcome)}
    </Figure>
  );
}

const stateOf = ({ kind }: Outcome<unknown>): JSX.Element => (
  <output class="beside">{kind === 'waiting' ? 'Compiling and measuring, rung by rung …' : ''}</output>
);

function RungRow({ rung, row, peak }: { rung: Rung; row: Row | undefined; peak: number }): JSX.Element {
  const measured = row?.[1];
  const missing = row && !measured;
  return (
    <tbody data-rung={rung.id} data-ran={measured ? 'yes' : missing ? 'no' : undefined}>
      <tr>
        <th scope="row">
          {rung.title}
          <span class="bar" style={{ width: `${Math.min(100, (100 * (measured?.gflops ?? 0)) / peak)}%` }} />
        </th>
        {missing ? (
          <td colSpan={4}>not here: it takes {rung.needs ?? 'more than this device has'}</td>
        ) : (
          <>
            <td>{measured?.ms.toPrecision(3) ?? '…'}</td>
            <td>{measured?.gflops.toPrecision(3) ?? '…'}</td>
            <td>{measured ? `${Math.round((100 * measured.gflops) / peak)} %` : '…'}</td>
            <td>{measured?.error === undefined ? '' : measured.error === 0 ? '0' : measured.error.toExponential(0)}</td>
          </>
        )}
      </tr>
      <tr class="says">
        <td colSpan={5}>
          {rung.says}
          {measured && <small> Ran: {measured.ran.map((name) => `${name}.wgsl`).join(', ')}.</small>}
        </td>
      </tr>
    </tbody>
  );
}

const files = rungs.filter(({ file }) => file);

/** Two of the shaders beside each other. */
export function SideBySide(): JSX.Element {
  const [left, setLeft] = useState('direct');
  const [right, setRight] = useState('tiled');
  return (
    <Figure id="sides" title="Two rungs side by side, the files as they are">
      <div class="sides">
        <Side label="Left" id={left} onChange={setLeft} />
        <Side label="Right" id={right} onChange={setRight} />
      </div>
    </Figure>
  );
}

interface SideProps {
  readonly label: string;
  readonly id: string;
  readonly onChange: (id: string) => void;
}

function Side({ label, id, onChange }: SideProps): JSX.Element {
  const { file = '', text = '' } = files.find((rung) => rung.id === id) ?? files[0];
  return (
    <div class="side">
      <label>
        {label}{' '}
        <select value={id} onChange={(event) => onChange((event.currentTarget as HTMLSelectElement).value)}>
          {files.map((rung) => (
            <option key={rung.id} value={rung.id}>
              {rung.file}.wgsl
            </option>
          ))}
        </select>
      </label>
      <Editor label={`shaders/${file}.wgsl`} text={text} readOnly />
    </div>
  );
}
