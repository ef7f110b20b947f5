import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Editor } from '../../lab/editor.tsx';
import { Source } from '../../lab/source.tsx';
import { Choice, Figure } from '../../lab/ui.tsx';
import { Problems } from './edit.tsx';
import { loadProgress, type Progress, saveProgress } from './progress.ts';
import { judge, type Verdict } from './puzzle.ts';
import { puzzles } from './puzzles.ts';
import { useAsked } from './run.ts';

/** The puzzles, one at a time. What was written, and what was solved, this browser remembers. */
export function Puzzles(): JSX.Element {
  const [id, setId] = useState(puzzles[0].id);
  const [progress, setProgress] = useState(loadProgress);
  const [outcome, ask] = useAsked<Verdict>();
  const puzzle = puzzles.find((one) => one.id === id) ?? puzzles[0];
  const { text = puzzle.start, hints = 0, solved = false } = progress[puzzle.id] ?? {};
  const result = outcome?.kind === 'done' ? outcome.value : undefined;
  const note = (part: Progress) =>
    setProgress((now) => {
      const next = { ...now, [puzzle.id]: { ...now[puzzle.id], ...part } };
      saveProgress(next);
      return next;
    });
  const write = (now: string) => {
    if (now === text) return;
    note({ text: now });
    if (outcome) ask(); // what was said, or is about to be, is of another text
  };
  const choose = (next: string) => {
    ask();
    setId(next);
  };
  const names = puzzles.map(({ id: name, title }) => [name, `${title}${progress[name]?.solved ? ' ✓' : ''}`]);
  const test = () =>
    ask(async ({ engine }, signal) => {
      const verdict = await judge(engine, puzzle, text, signal);
      if (verdict.kind === 'passed') note({ solved: true });
      return verdict;
    });
  return (
    <Figure id="puzzles" title="Puzzles" outcome={outcome}>
      <Choice label="Write" value={id} of={Object.fromEntries(names)} onChange={choose} />
      <p>{puzzle.task}</p>
      <Editor
        key={puzzle.id}
        label={`Your kernel: ${puzzle.title}`}
        text={text}
        onChange={write}
        marks={result?.kind === 'problems' ? result.problems : undefined}
      />
      <div class="buttons">
        <button type="button" disabled={outcome?.kind === 'waiting'} onClick={test}>
          Test
        </button>
        <button type="button" disabled={hints >= puzzle.hints.length} onClick={() => note({ hints: hints + 1 })}>
          Hint ({hints} of {puzzle.hints.length})
        </button>
        <button type="button" onClick={() => write(puzzle.start)}>
          Start over
        </button>
        <output data-verdict={result?.kind}>
          {outcome?.kind === 'waiting' ? 'Compiling and testing …' : result && <Said verdict={result} />}
        </output>
      </div>
      {hints > 0 && (
        <ol class="hints">
          {puzzle.hints.slice(0, hints).map((hint) => (
            <li key={hint}>{hint}</li>
          ))}
        </ol>
      )}
      <details class="source" key={`${puzzle.id} solution`}>
        <summary>Our solution, and its story{solved ? '' : ' (it spoils the puzzle)'}</summary>
        <Editor label={`Our kernel: ${puzzle.title}`} text={puzzle.solution} readOnly />
        <p>
          <button type="button" onClick={() => write(puzzle.solution)}>
            Take it into the editor
          </button>
        </p>
        <p>{puzzle.story}</p>
        <Source file={puzzle.file} url={puzzle.url}>
          is what the project runs.
        </Source>
      </details>
    </Figure>
  );
}

function Said({ verdict }: { verdict: Verdict }): JSX.Element {
  if (verdict.kind === 'problems') return <Problems of={verdict.problems} />;
  if (verdict.kind !== 'passed') return <span class="error">{verdict.why}</span>;
  const { tests, values, error } = verdict;
  return (
    <>
      Solved: {values} values in {tests} tests agree with the float64 reference; the largest error is{' '}
      {error === 0 ? 'none at all' : `${error.toExponential(1)} of the largest value`}.
    </>
  );
}
