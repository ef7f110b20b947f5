import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import {
  bracketMatching,
  HighlightStyle,
  indentOnInput,
  indentUnit,
  StreamLanguage,
  syntaxHighlighting,
} from '@codemirror/language';
import { type Diagnostic, lintGutter, lintKeymap, setDiagnostics } from '@codemirror/lint';
import { EditorState, type Text } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import type { Mark } from './editor.tsx';
import { typescript, wgsl } from './editor-words.ts';

const languages = { wgsl, typescript };
export type Language = keyof typeof languages;

/** An open editor. */
export interface TextView {
  /** Replaces the text, where it is another one. */
  show(text: string): void;
  mark(marks: readonly Mark[]): void;
  close(): void;
}

interface Options {
  readonly label: string;
  readonly text: string;
  readonly language: Language;
  readonly readOnly: boolean;
  readonly onChange: (text: string) => void;
}

const colours = HighlightStyle.define([
  { tag: tags.comment, color: 'var(--quiet)', fontStyle: 'italic' },
  { tag: tags.keyword, color: 'var(--violet)' },
  { tag: tags.typeName, color: 'var(--blue)' },
  { tag: tags.standard(tags.variableName), color: 'var(--green)' },
  { tag: tags.meta, color: 'var(--orange)' },
  { tag: tags.number, color: 'var(--orange)' },
  { tag: tags.string, color: 'var(--green)' },
]);

/** The page's own colours, which follow light and dark by themselves. */
const theme = EditorView.theme({
  '&': { color: 'var(--text)', backgroundColor: 'var(--page)', border: '1px solid var(--line)', borderRadius: '6px' },
  '&.cm-focused': { outline: '2px solid var(--blue)' },
  '.cm-scroller': { maxHeight: '22rem', overflow: 'auto', fontSize: '0.8rem', lineHeight: '1.45' },
  '.cm-content': { caretColor: 'var(--text)' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '.cm-gutters': { backgroundColor: 'var(--panel)', color: 'var(--quiet)', borderRight: '1px solid var(--line)' },
  '.cm-activeLine': { backgroundColor: 'color-mix(in srgb, var(--blue) 4%, transparent)' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'color-mix(in srgb, var(--blue) 18%, transparent) !important',
  },
  '&.cm-focused .cm-matchingBracket': { backgroundColor: 'color-mix(in srgb, var(--green) 30%, transparent)' },
  '.cm-tooltip': { backgroundColor: 'var(--panel)', color: 'var(--text)', border: '1px solid var(--line)' },
  '.cm-diagnostic': { maxWidth: '36rem', whiteSpace: 'pre-wrap' },
});

/** CodeMirror in an element. Escape, then Tab, leaves it: Tab alone indents. */
export function openView(parent: HTMLElement, { label, text, language, readOnly, onChange }: Options): TextView {
  let showing = false;
  const changed = EditorView.updateListener.of((update) => {
    if (update.docChanged && !showing) onChange(update.state.doc.toString());
  });
  const writing = [
    history(),
    indentOnInput(),
    highlightActiveLine(),
    drawSelection(),
    lintGutter(),
    keymap.of([...defaultKeymap, ...historyKeymap, ...lintKeymap, indentWithTab]),
    changed,
  ];
  const view = new EditorView({
    parent,
    doc: text,
    extensions: [
      lineNumbers(),
      bracketMatching(),
      indentUnit.of('  '),
      StreamLanguage.define(languages[language]),
      syntaxHighlighting(colours),
      theme,
      EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }), // keys scroll what is only read
      readOnly ? [EditorState.readOnly.of(true), EditorView.editable.of(false)] : writing,
    ],
  });
  return {
    show(now) {
      if (now === view.state.doc.toString()) return;
      showing = true;
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: now } });
      showing = false;
    },
    mark: (marks) =>
      view.dispatch(
        setDiagnostics(
          view.state,
          marks.map((mark) => diagnostic(view.state.doc, mark)),
        ),
      ),
    close: () => view.destroy(),
  };
}

/** A mark covers what the compiler named, or the rest of its line. */
function diagnostic(text: Text, { line, column, length, severity, message }: Mark): Diagnostic {
  const { from, to } = text.line(Math.min(line, text.lines));
  const start = Math.min(from + column - 1, to);
  const end = length > 0 ? Math.min(start + length, text.length) : to;
  return { from: start, to: Math.max(end, start), severity, message: `Line ${line}: ${message}` };
}
