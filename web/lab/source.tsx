import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { Editor } from './editor.tsx';

interface SourceProps {
  /** Its path in the project. */
  readonly file: string;
  /** Where the page finds the file itself: imported with ?url. */
  readonly url: string;
  readonly children?: string;
}

/** A file of the project as it is, folded away, and not even fetched, until someone looks. */
export function Source({ file, url, children }: SourceProps): JSX.Element {
  const text = useSignal('');
  const look = async () => {
    if (text.value !== '') return;
    try {
      const answer = await fetch(url);
      text.value = answer.ok ? await answer.text() : `${file} did not come: ${answer.status} ${answer.statusText}`;
    } catch (error) {
      text.value = `${file} did not come: ${(error as Error).message}`;
    }
  };
  return (
    <details class="source" onToggle={look}>
      <summary>
        <code>{file}</code> {children}
      </summary>
      {text.value && (
        <Editor label={file} language={file.endsWith('.ts') ? 'typescript' : 'wgsl'} text={text.value} readOnly />
      )}
    </details>
  );
}
