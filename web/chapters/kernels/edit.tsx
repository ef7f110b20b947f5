import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import directWgsl from '../../../shaders/conv.direct.wgsl';
import { Editor } from '../../lab/editor.tsx';
import { Figure, Value, Values } from '../../lab/ui.tsx';
import { type Rewritten, rewrite } from './rewrite.ts';
import { useAsked } from './run.ts';
import { sizeText } from './rungs.ts';

/** conv.direct.wgsl, to be changed: compiled, judged and timed in the place of the project's own. */
export function Edit(): JSX.Element {
  const [text, setText] = useState(directWgsl);
  const [outcome, ask] = useAsked<Rewritten>();
  const result = outcome?.kind === 'done' ? outcome.value : undefined;
  const change = (now: string) => {
    setText(now);
    if (outcome) ask(); // what was said, or is about to be, is of another text
  };
  return (
    <Figure id="edit" title="shaders/conv.direct.wgsl, yours to change" outcome={outcome}>
      <Editor
        label="Your conv.direct.wgsl"
        text={text}
        onChange={change}
        marks={result?.kind === 'problems' ? result.problems : undefined}
      />
      <div class="buttons">
        <button
          type="button"
          disabled={outcome?.kind === 'waiting'}
          onClick={() => ask((lab, signal) => rewrite(lab, text, signal))}
        >
          Check and time
        </button>
        <button type="button" onClick={() => change(directWgsl)}>
          Start over
        </button>
        <output data-verdict={result?.kind}>
          {outcome?.kind === 'waiting' ? 'Compiling, judging, timing …' : result && <Said result={result} />}
        </output>
      </div>
    </Figure>
  );
}

function Said({ result }: { result: Rewritten }): JSX.Element {
  if (result.kind === 'problems') return <Problems of={result.problems} />;
  if (result.kind === 'wrong') return <span class="error">{result.why}</span>;
  const [ours, yours] = result.gflops;
  return (
    <>
      Right: largest error {result.error.toExponential(1)} of the largest value, over three ops and odd sizes.
      <Values>
        <Value name="Layer">{sizeText(result.size)}</Value>
        <Value name="Ours">{`${ours.toPrecision(3)} GFLOP/s`}</Value>
        <Value name="Yours">{`${yours.toPrecision(3)} GFLOP/s`}</Value>
        <Value name="Yours takes">{`${(result.ms[1] / result.ms[0]).toFixed(2)} of the time`}</Value>
      </Values>
    </>
  );
}

/** What the compiler said, as a list: the editor shows the same at its lines. */
export const Problems = ({ of }: { of: readonly { line: number; message: string }[] }): JSX.Element => (
  <ul class="error">
    {of.map(({ line, message }) => (
      <li key={`${line} ${message}`}>
        Line {line}: {message}
      </li>
    ))}
  </ul>
);
