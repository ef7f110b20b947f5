import { Figure, Slider, Value, Values } from '../../lab/ui.tsx';
import type { Shared } from './window.tsx';

interface CheckProps extends Pick<Shared, 'outcome'> {
  /** The step is 2 to this. */
  readonly exponent: number;
  readonly setExponent: (exponent: number) => void;
}

/** All gradients at once, against two judges. */
export function Check({ outcome, exponent, setExponent }: CheckProps) {
  const current = outcome.kind === 'done' ? outcome.value : undefined;
  const small = (value: number | undefined) => value?.toExponential(1) ?? '…';
  return (
    <Figure id="check" title="All 90 gradients, checked" recorded="convolution-check.png" outcome={outcome}>
      <Slider
        label="Step h of the central differences"
        value={exponent}
        min={-16}
        max={0}
        show={(e) => `2^${e}`}
        onChange={setExponent}
      />
      <Values>
        <Value name="apart from central differences, at most">{small(current?.toDifferences)}</Value>
        <Value name="apart from the float64 reference, at most">{small(current?.toReference)}</Value>
      </Values>
      <p>
        Relative to the largest gradient. Shaders that ran: {current ? [...new Set(current.kernels)].join(', ') : '…'}.
      </p>
    </Figure>
  );
}
