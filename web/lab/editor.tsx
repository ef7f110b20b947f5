import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { breathe } from './device.ts';
import type { Language, TextView } from './editor-view.ts';

/** Something said of a place in the text; lines and columns count from 1. */
export interface Mark {
  readonly line: number;
  readonly column: number;
  readonly length: number;
  readonly severity: 'error' | 'warning';
  readonly message: string;
}

interface EditorProps {
  /** What it is, for those who cannot see it. */
  readonly label: string;
  readonly text: string;
  readonly language?: Language;
  readonly onChange?: (text: string) => void;
  readonly marks?: readonly Mark[];
  readonly readOnly?: boolean;
}

/** Editors open one after the other: each takes tens of milliseconds. */
let last: Promise<unknown> = Promise.resolve();

/** A text to read or to write, in colours. The editor comes when it is nearly in sight; until then the text stands plain. */
export function Editor(props: EditorProps): JSX.Element {
  const { label, text, language = 'wgsl', onChange, marks = [], readOnly = false } = props;
  const host = useRef<HTMLDivElement>(null);
  const changed = useRef(onChange);
  changed.current = onChange;
  const typed = useRef<string[]>([]); // and not come back as `text` yet
  const [view, setView] = useState<TextView | undefined>();
  useEffect(() => {
    let made: TextView | undefined;
    let gone = false;
    const near = new IntersectionObserver(
      (entries) => {
        if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
        near.disconnect();
        const open = async () => {
          const { openView } = await import('./editor-view.ts');
          await breathe();
          if (gone) return;
          const write = (now: string) => {
            typed.current.push(now);
            changed.current?.(now);
          };
          made = openView(host.current!, { label, text, language, readOnly, onChange: write });
          setView(made);
        };
        last = last.then(open).catch(() => {}); // an editor that cannot be had leaves the text plain
      },
      { rootMargin: '600px' },
    );
    near.observe(host.current!);
    return () => {
      gone = true;
      near.disconnect();
      made?.close();
      setView(undefined);
    };
  }, [label, language, readOnly]);
  useEffect(() => {
    // What was typed comes back late: showing it would undo what was typed since.
    if (text === typed.current.at(-1)) typed.current = [];
    else if (!typed.current.includes(text)) view?.show(text);
  }, [view, text]);
  useEffect(() => view?.mark(marks), [view, marks]);
  return (
    <div class="editor">
      <div ref={host} />
      {!view && <pre>{text}</pre>}
      {!readOnly && <small>Tab indents; Escape, then Tab, leaves the editor.</small>}
    </div>
  );
}
