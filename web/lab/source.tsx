import type { JSX } from 'preact';

interface SourceProps {
  /** Its path in the project. */
  readonly file: string;
  /** The file itself, imported with ?raw (or as .wgsl). */
  readonly text: string;
  readonly children?: string;
}

/** A file of the project as it is, folded away until someone looks. */
export const Source = ({ file, text, children }: SourceProps): JSX.Element => (
  <details class="source">
    <summary>
      <code>{file}</code> {children}
    </summary>
    <pre>
      <code>{text}</code>
    </pre>
  </details>
);
