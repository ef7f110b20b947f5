import { useEffect, useMemo, useState } from 'preact/hooks';
import { breathe, inTurn, type Lab, labState, Superseded } from './device.ts';

/** What became of a figure's work. */
export type Outcome<T> =
  | { readonly kind: 'waiting'; readonly last?: T }
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'failed'; readonly why: string };

/**
 * The result of work on the reader's device, done again whenever `inputs` change or the device is a new one. While it is
 * under way the last result stays. Where it has nothing to work on yet it gives undefined, and the outcome waits.
 */
export function useLab<T>(
  work: (lab: Lab, signal: AbortSignal) => Promise<T | undefined>,
  inputs: readonly unknown[],
): Outcome<T> {
  const state = labState.value;
  return useOutcome(state.kind === 'ready' ? (signal) => inTurn(signal, (lab) => work(lab, signal)) : undefined, [
    state,
    ...inputs,
  ]);
}

/**
 * The same for work that needs no device. It lets the page breathe first, and should do so between its own pieces.
 */
export function useHost<T>(
  work: (signal: AbortSignal) => T | undefined | Promise<T | undefined>,
  inputs: readonly unknown[],
): Outcome<T> {
  return useOutcome(async (signal) => {
    await breathe();
    if (signal.aborted) throw new Superseded();
    return work(signal);
  }, inputs);
}

function useOutcome<T>(
  start: ((signal: AbortSignal) => Promise<T | undefined>) | undefined,
  inputs: readonly unknown[],
): Outcome<T> {
  const [held, setHeld] = useState<{ of: readonly unknown[]; outcome: Outcome<T> }>({
    of: [],
    outcome: { kind: 'waiting' },
  });
  useEffect(() => {
    const abort = new AbortController();
    const settle = (outcome: Outcome<T>) => !abort.signal.aborted && setHeld({ of: inputs, outcome });
    start?.(abort.signal).then(
      (value) => value !== undefined && settle({ kind: 'done', value }),
      (error) => error instanceof Superseded || settle({ kind: 'failed', why: (error as Error).message }),
    );
    return () => abort.abort();
  }, inputs);
  // Of older inputs it is the last result, from the first moment that they differ.
  return useMemo(() => {
    const current = held.of.length === inputs.length && held.of.every((input, i) => input === inputs[i]);
    return current ? held.outcome : { kind: 'waiting', last: lastOf(held.outcome) };
  }, [held, ...inputs]);
}

export const lastOf = <T>(outcome: Outcome<T>): T | undefined =>
  outcome.kind === 'done' ? outcome.value : outcome.kind === 'waiting' ? outcome.last : undefined;
