import { signal } from '@preact/signals';
import { type JSX, render } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import 'katex/dist/katex.min.css';
import './style.css';
import { type Chapter, chapters } from './chapters/index.ts';
import { drawClip, showClip } from './lab/clip.ts';
import { ClipChooser } from './lab/clip-chooser.tsx';
import { breathe, labState, openLab } from './lab/device.ts';

const address = signal(location.hash.slice(1));
addEventListener('hashchange', () => {
  address.value = location.hash.slice(1);
});

function Page(): JSX.Element {
  const chapter = chapters.find(({ id }) => id === address.value) ?? chapters[0];
  const text = useRef<HTMLElement>(null);
  const opened = useRef(chapter);
  useEffect(() => {
    if (opened.current === chapter) return; // where the page opens, its top is what readers want
    opened.current = chapter;
    text.current?.scrollIntoView();
    text.current?.focus({ preventScroll: true });
  }, [chapter]);
  return (
    <>
      <button type="button" class="skip" onClick={() => text.current?.focus()}>
        To the text
      </button>
      <header>
        <h1>
          subpixel <span>laboratory</span>
        </h1>
        <p>How video super-resolution works inside, on the engine that computes it.</p>
        <Device />
        <ClipChooser />
      </header>
      <nav aria-label="Chapters">
        <ol>
          {chapters.map(({ id, title, minutes }) => (
            <li key={id}>
              <a href={`#${id}`} aria-current={id === chapter.id ? 'page' : undefined}>
                {title} <small>{minutes} min</small>
              </a>
            </li>
          ))}
        </ol>
      </nav>
      <main id="text" ref={text} tabIndex={-1} aria-label={chapter.title}>
        <Opened key={chapter.id} chapter={chapter} />
      </main>
    </>
  );
}

function Device(): JSX.Element {
  const state = labState.value;
  if (state.kind === 'opening') return <p class="device">Looking for a GPU …</p>;
  if (state.kind === 'none')
    return (
      <p class="device error" role="alert">
        {state.why}
      </p>
    );
  const { name, software } = state.lab;
  return (
    <p class="device">
      Computing on {name}
      {software ? ', on the processor: figures are small' : ''}
    </p>
  );
}

/** A chapter comes when it is asked for. */
function Opened({ chapter }: { chapter: Chapter }): JSX.Element {
  const [Content, setContent] = useState<(() => JSX.Element) | undefined>();
  const [failure, setFailure] = useState('');
  useEffect(() => {
    const open = async () => {
      const { default: content } = await chapter.load();
      await breathe(); // its code has just been evaluated, in the same task
      setContent(() => content);
    };
    open().catch((error) => setFailure((error as Error).message));
    document.title = `${chapter.title} · subpixel laboratory`;
  }, [chapter]);
  const next = chapters[chapters.indexOf(chapter) + 1];
  return (
    <article data-chapter={chapter.id}>
      <h2>{chapter.title}</h2>
      <p class="promise">{chapter.promise}</p>
      {Content ? <Content /> : <p class="loading">{failure || 'The chapter is on its way.'}</p>}
      {next && (
        <p class="next">
          Next: <a href={`#${next.id}`}>{next.title}</a>
        </p>
      )}
    </article>
  );
}

declare global {
  interface Window {
    subpixel: { labState: typeof labState };
  }
}
// For the curious, in the browser's console: subpixel.labState.value.lab.engine is the engine that computes this page.
window.subpixel = { labState };

const page = document.getElementById('page')!;
page.replaceChildren(); // the line for those who wait
render(<Page />, page);
void openLab();
void showClip('Drawing a clip …', drawClip);
