import { type Constants, Kernel } from '../../../engine/kernel.ts';
import { problemsOf } from './problems.ts';

/** The buffer that a stopped loop is reported in, bound beside the kernel's own. */
export const STOPPED = 'loop_stopped';
const BINDING = 99;

/** The same text with blanks in the place of its comments. */
export const withoutComments = (source: string): string =>
  source.replace(/\/\/.*|\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '));

/**
 * The same text, line by line, whose loops all end: no invocation makes many more than so many rounds. A GPU cannot be told
 * to stop; a loop without an end would hold it until the system takes the device away.
 * `together`: all loops of an invocation share the rounds, but read a counter that differs among invocations, which no
 * barrier may depend on. `apart`: each loop counts for itself, as uniformly as it runs, and ends where its count times those
 * of the loops around it passes the rounds: the n-th round of an outer loop leaves rounds / n to an inner one, and these
 * sum to rounds · ln rounds.
 */
export function guardLoops(source: string, rounds: number, way: 'together' | 'apart'): string {
  const blank = withoutComments(source);
  const parts: string[] = [];
  let from = 0;
  let loops = 0;
  const insert = (at: number, text: string) => {
    parts.push(source.slice(from, at), text);
    from = at;
  };
  let around: { readonly counter: string; readonly end: number }[] = [];
  for (const { index } of blank.matchAll(/\b(?:for|while|loop)\b/g)) {
    const body = blank.indexOf('{', index);
    if (body < 0) break;
    const counter = `rounds_${loops++}`;
    around = [...around.filter(({ end }) => end > index), { counter, end: endOf(blank, body) }];
    if (way === 'apart') insert(index, `var ${counter} = 0u; `);
    const product = around.map((loop) => loop.counter).join(' * ');
    const count = way === 'apart' ? `${counter}++; if (${product} > ${rounds}u)` : 'if (rounds_spent())';
    insert(body + 1, ` ${count} { atomicStore(&${STOPPED}, 1u); break; } `);
  }
  const declared = `@group(0) @binding(${BINDING}) var<storage, read_write> ${STOPPED}: atomic<u32>;`;
  const counted = `var<private> rounds_made: u32;
fn rounds_spent() -> bool { rounds_made++; return rounds_made > ${rounds}u; }`;
  return `${parts.join('')}${source.slice(from)}\n${declared}\n${way === 'together' ? counted : ''}`;
}

/** Where the block ends that opens at `open`. */
function endOf(text: string, open: number): number {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === '{') depth++;
    else if (text[i] === '}' && --depth === 0) return i;
  }
  return text.length;
}

let written = 0;

/** A reader's text as a kernel of its own name: pipelines are kept by names. */
export const kernelOf = (text: string): Kernel => new Kernel(`yours.${++written}`, text);

/** A text that compiles, guarded in the way that its barriers allow. @param rounds of the loops of an invocation */
export async function guarded(gpu: GPUDevice, text: string, constants: Constants, rounds: number): Promise<Kernel> {
  const together = kernelOf(guardLoops(text, rounds, 'together'));
  const problems = await problemsOf(gpu, together.withConstants(constants));
  const valid = problems.every(({ severity }) => severity !== 'error');
  return valid ? together : kernelOf(guardLoops(text, rounds, 'apart'));
}
