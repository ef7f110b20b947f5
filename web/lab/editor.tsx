import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { TextView } from './editor-view.ts';

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
  readonly onChange?: (text: string) => void;
  readonly marks?: readonly Mark[];
  readonly readOnly?: boolean;
}

/** A text of WGSL to read or to write, in colours. The editor comes when it is first shown; until then the text stands plain. */
export function Editor({ label, text, onChange, marks = [], readOnly = false }: EditorProps): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const changed = useRef(onChange);
  changed.current = onChange;
  const [view, setView] = useState<TextView | undefined>();
  useEffect(() => {
    let made: TextView | undefined;
    let gone = false;
    void import('./editor-view.ts').then(({ openView }) => {
      if (gone) return;
      made = openView(host.current!, { label, text, readOnly, onChange: (now) => changed.current?.(now) });
      setView(made);
    });
    return () => {
      gone = true;
      made?.close();
    };
  }, [label, readOnly]);
  useEffect(() => view?.show(text), [view, text]);
  useEffect(() => view?.mark(marks), [view, marks]);
  return (
    <div class="editor">
      <div ref={host} />
      {!view && <pre>{text}</pre>}
      {!readOnly && <small>Tab indents; Escape, then Tab, leaves the editor.</small>}
    </div>
  );
}
