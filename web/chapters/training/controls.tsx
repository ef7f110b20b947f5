import { useState } from 'preact/hooks';
import { labState } from '../../lab/device.ts';
import { Choice, Slider } from '../../lab/ui.tsx';
import { FRAMES, MOST_STEPS, type Session, type Settings } from './session.ts';

const losses = { charbonnier: 'Charbonnier', l1: 'L1', mse: 'mean square', huber: 'Huber' } as const;
const blocks = { separable: 'separable', full: 'full 3D (begins anew)' } as const;
const rates = { '0.0001': '0.0001', '0.001': '0.001', '0.003': '0.003', '0.01': '0.01', '0.1': '0.1' } as const;

interface ControlsProps {
  readonly session: Session;
  readonly settings: Settings;
  readonly onChange: (settings: Settings) => void;
}

/** Into the reader's downloads. */
async function keep(session: Session): Promise<void> {
  const file = await session.weights();
  if (!file) return; // why stands there
  const link = document.createElement('a');
  [link.href, link.download] = [URL.createObjectURL(file), 'weights.safetensors'];
  link.click();
  URL.revokeObjectURL(link.href);
}

export function Controls({ session, settings, onChange }: ControlsProps) {
  const { status, kept, why, iteration } = session.shown.value;
  const [wanted, setWanted] = useState(0);
  const at = Math.min(wanted, Math.max(kept.length - 1, 0));
  const runs = status === 'running';
  const short = session.clip.frames.length < 2 * FRAMES;
  const waits = short || status === 'preparing' || labState.value.kind !== 'ready';
  const done = iteration >= MOST_STEPS;
  return (
    <>
      <Choice label="Loss" value={settings.loss} of={losses} onChange={(loss) => onChange({ ...settings, loss })} />
      <Choice
        label="Learning rate"
        value={String(settings.lr) as keyof typeof rates}
        of={rates}
        onChange={(lr) => onChange({ ...settings, lr: Number(lr) })}
      />
      <Choice
        label="Blocks"
        value={settings.block}
        of={blocks}
        onChange={(block) => onChange({ ...settings, block })}
      />
      <div class="buttons">
        <button type="button" disabled={waits || done} onClick={() => (runs ? session.pause() : void session.start())}>
          {runs ? 'Pause' : 'Train'}
        </button>
        <button type="button" disabled={waits || runs || done} onClick={() => void session.step()}>
          One step
        </button>
        <button type="button" disabled={waits} onClick={() => void session.again()}>
          Begin anew
        </button>
        <button type="button" disabled={waits} onClick={() => void keep(session)}>
          Keep the weights
        </button>
      </div>
      <Slider
        label="Go back to step"
        value={at}
        min={0}
        max={Math.max(kept.length - 1, 0)}
        show={(i) => String(kept[i] ?? 0)}
        onChange={setWanted}
      />
      <button type="button" disabled={waits || kept.length === 0} onClick={() => void session.rewind(kept[at])}>
        Go back
      </button>
      {why && (
        <p class="error" role="alert">
          {why}
          {short && ' Choose a longer video, or the drawn clip.'}
        </p>
      )}
    </>
  );
}
