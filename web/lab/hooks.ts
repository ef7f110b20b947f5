import { useEffect, useState } from 'preact/hooks';
import { inTurn, type Lab, labState, Superseded } from './device.ts';

/** What became of a figure's work. */
export type Outcome<T> =
  | { readonly kind: 'waiting'; readonly last?: T }
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'failed'; readonly why: string };

/**
 * The result of work on the reader's device, done again whenever `inputs` change or the device is a new one. While it is
 * under way the last result stays.
 */
export function useLab<T>(work: (lab: Lab, signal: AbortSignal) => Promise<T>, inputs: readonly unknown[]): Outcome<T> {
  const [outcome, setOutcome] = useState<Outcome<T>>({ kind: 'waiting' });
  const state = labState.value;
  useEffect(() => {
    if (state.kind !== 'ready') return;
    const abort = new AbortController();
    setOutcome((now) => ({ kind: 'waiting', last: lastOf(now) }));
    inTurn(abort.signal, (lab) => work(lab, abort.signal)).then(
      (value) => !abort.signal.aborted && setOutcome({ kind: 'done', value }),
      (error) => {
        if (abort.signal.aborted || error instanceof Superseded) return;
        setOutcome({ kind: 'failed', why: (error as Error).message });
      },
    );
    return () => abort.abort();
  }, [state, ...inputs]);
  return outcome;
}

export const lastOf = <T>(outcome: Outcome<T>): T | undefined =>
  outcome.kind === 'done' ? outcome.value : outcome.kind === 'waiting' ? outcome.last : undefined;
