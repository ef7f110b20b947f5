import { useEffect, useRef, useState } from 'preact/hooks';
import type { Engine } from '../../../engine/engine.ts';
import { DeviceLostError } from '../../../engine/errors.ts';
import { inTurn, type Lab, labState, Superseded } from '../../lab/device.ts';
import { lastOf, type Outcome } from '../../lab/hooks.ts';

const NONE = 'This runs on a device with WebGPU: the top of the page says how to come by one.';
const LOST =
  'The device was lost while your kernel ran: the system takes it away from work that does not end. It is open again, and ' +
  'your text is as it was.';
const NOT_BEGUN =
  'Your kernel did not run: the device was lost before its turn, or is still being opened. Press the button once more.';

/** What fails of a loss may come before the loss is told, but the end of what was submitted does not. */
async function isLost(engine: Engine): Promise<boolean> {
  await engine.device.gpu.queue.onSubmittedWorkDone().catch(() => {});
  await new Promise((resolve) => setTimeout(resolve));
  try {
    engine.device.throwIfFailed();
    return false;
  } catch (failure) {
    return failure instanceof DeviceLostError;
  }
}

/**
 * Work that is done when someone asks for it, once: unlike `useLab` it is not begun again on a new device, which a reader's
 * kernel may have cost.
 */
export function useAsked<T>(): [
  Outcome<T> | undefined,
  (work?: (lab: Lab, signal: AbortSignal) => Promise<T>) => void,
] {
  const [outcome, setOutcome] = useState<Outcome<T> | undefined>();
  const running = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => running.current?.abort(), []);
  const ask = (work?: (lab: Lab, signal: AbortSignal) => Promise<T>) => {
    running.current?.abort();
    if (!work) {
      setOutcome(undefined);
      return;
    }
    if (labState.peek().kind === 'none') {
      setOutcome({ kind: 'failed', why: NONE });
      return;
    }
    const abort = new AbortController();
    running.current = abort;
    setOutcome((now) => ({ kind: 'waiting', last: now && lastOf(now) }));
    let engine: Engine | undefined;
    inTurn(abort.signal, async (lab) => {
      if (await isLost(lab.engine)) throw new Superseded();
      engine = lab.engine;
      return work(lab, abort.signal);
    }).then(
      (value) => !abort.signal.aborted && setOutcome({ kind: 'done', value }),
      async (error) => {
        const lost = error instanceof Superseded || (engine !== undefined && (await isLost(engine)));
        const why = lost ? (engine ? LOST : NOT_BEGUN) : (error as Error).message;
        if (!abort.signal.aborted) setOutcome({ kind: 'failed', why });
      },
    );
  };
  return [outcome, ask];
}
