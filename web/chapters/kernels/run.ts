import { useEffect, useRef, useState } from 'preact/hooks';
import { inTurn, type Lab, labState, Superseded } from '../../lab/device.ts';
import { lastOf, type Outcome } from '../../lab/hooks.ts';

const NONE = 'This runs on a device with WebGPU: the top of the page says how to come by one.';
const LOST =
  'The device was lost while your kernel ran: the system takes it away from work that does not end. It is open again, and ' +
  'your text is as it was.';

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
    if (labState.peek().kind !== 'ready') {
      setOutcome({ kind: 'failed', why: NONE });
      return;
    }
    const abort = new AbortController();
    running.current = abort;
    setOutcome((now) => ({ kind: 'waiting', last: now && lastOf(now) }));
    inTurn(abort.signal, (lab) => work(lab, abort.signal)).then(
      (value) => !abort.signal.aborted && setOutcome({ kind: 'done', value }),
      (error) => {
        if (abort.signal.aborted) return;
        setOutcome({ kind: 'failed', why: error instanceof Superseded ? LOST : (error as Error).message });
      },
    );
  };
  return [outcome, ask];
}
