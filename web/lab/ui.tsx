import type { ComponentChildren, JSX } from 'preact';
import { useId } from 'preact/hooks';
import { labState } from './device.ts';
import type { Outcome } from './hooks.ts';

/** HTML that vite.config.ts made of a formula: write tex`a^2`. */
export const tex = (html: string | TemplateStringsArray): JSX.Element => (
  <span class="formula" dangerouslySetInnerHTML={{ __html: String(html) }} />
);

interface SliderProps {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly step?: number;
  readonly show?: (value: number) => string;
  readonly onChange: (value: number) => void;
}

export function Slider({ label, value, min, max, step = 1, show = String, onChange }: SliderProps): JSX.Element {
  const id = useId();
  const change = (event: Event) => onChange(Number((event.currentTarget as HTMLInputElement).value));
  return (
    <p class="control">
      <label for={id}>{label}</label>
      <input id={id} type="range" {...{ min, max, step, value }} onInput={change} aria-valuetext={show(value)} />
      <span aria-hidden="true">{show(value)}</span>
    </p>
  );
}

interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly of: Readonly<Record<T, string>>;
  readonly onChange: (value: T) => void;
}

/** One of a few, as buttons that say which is on. */
export function Choice<T extends string>({ label, value, of, onChange }: ChoiceProps<T>): JSX.Element {
  const name = useId();
  return (
    <fieldset class="control">
      <legend>{label}</legend>
      <div class="options">
        {(Object.entries(of) as [T, string][]).map(([key, text]) => (
          <label key={key}>
            <input type="radio" name={name} checked={key === value} onChange={() => onChange(key)} />
            {text}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

interface SwitchProps {
  readonly label: string;
  readonly on: boolean;
  readonly onChange: (on: boolean) => void;
}

export const Switch = ({ label, on, onChange }: SwitchProps): JSX.Element => (
  <label class="switch">
    <input type="checkbox" checked={on} onChange={() => onChange(!on)} /> {label}
  </label>
);

interface FigureProps {
  /** Of the chapter: the tests find it by this. */
  readonly id: string;
  readonly title: string;
  /** Of a figure that needs the device: a picture under public/recorded, made by the tests, for readers without WebGPU. */
  readonly recorded?: string;
  readonly outcome?: Outcome<unknown>;
  readonly children: ComponentChildren;
}

/** Something to move and to see. What it shows was computed just now, in this page. */
export function Figure({ id, title, recorded, outcome, children }: FigureProps): JSX.Element {
  const none = recorded !== undefined && labState.value.kind === 'none';
  const state = none ? 'none' : (outcome?.kind ?? 'done');
  return (
    <section class="figure" id={id} aria-label={title} data-state={state} aria-busy={state === 'waiting'}>
      <h3 class={none ? 'unseen' : ''}>{title}</h3>
      {none && recorded ? (
        <>
          <div class="wide">
            <img src={`recorded/${recorded}`} alt={`${title}, recorded on another machine`} />
          </div>
          <figcaption>Recorded on another machine: here is no WebGPU to compute it.</figcaption>
        </>
      ) : (
        children
      )}
      {outcome?.kind === 'failed' && (
        <p class="error" role="alert">
          {outcome.why}
        </p>
      )}
    </section>
  );
}

/** A measurement with the three digits that it is good for. */
export const threeDigits = (n: number): string => (n >= 100 ? String(Math.round(n)) : n.toPrecision(3));

/** A number with a name, for rows of results. */
export const Value = ({ name, children }: { name: string; children: ComponentChildren }): JSX.Element => (
  <div class="value">
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
);

export const Values = ({ children }: { children: ComponentChildren }): JSX.Element => (
  <dl class="values">{children}</dl>
);
