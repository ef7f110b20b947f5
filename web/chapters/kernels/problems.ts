/** What the compiler says of a text, at its place; lines and columns count from 1. */
export interface Problem {
  readonly line: number;
  readonly column: number;
  readonly length: number;
  readonly severity: 'error' | 'warning';
  /** In plain words, then the compiler's own. */
  readonly message: string;
}

/** What the commonest complaints mean, by how they begin. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [
    /unresolved (?:value|type|call target|identifier) '(\w+)'/,
    'nothing here is named $1: is it spelled as it was declared?',
  ],
  [/expected ';'/, 'a semicolon is missing before this'],
  [/expected '([)}\]])'/, 'a closing $1 is missing before this'],
  [
    /no matching overload for 'operator (\S+) \((.+), (.+)\)'/,
    'WGSL turns no type into another by itself: $2 $1 $3 takes f32(…), i32(…) or u32(…) around one of them',
  ],
  [
    /cannot (?:assign|initialize) .*?(?:'(?:\w+ )?of type '|value of type '|type ')/,
    'the types differ: f32(…), i32(…) and u32(…) convert',
  ],
  [
    /return statement type must match|type mismatch|cannot assign '/,
    'the types differ: f32(…), i32(…) and u32(…) convert',
  ],
  [
    /must only be called from uniform control flow/,
    'all invocations of a workgroup must meet at a barrier: take it out of the branch or loop whose condition differs among them',
  ],
  [/cannot assign to (?:'let|value|let)/, 'let names a value for good: var makes one that changes'],
  [/cannot store into a read-only type/, 'this buffer is only read: results go to the one declared read_write'],
  [/loop does not exit/, 'this loop never ends: it needs a break or a condition'],
  [/missing return at end of function/, 'the function gives a value back, but not on every way through it'],
  [/is a reserved keyword|'\w+' is a keyword/, 'WGSL keeps this word for itself: take another name'],
];

const plain = (message: string): string | undefined => {
  for (const [pattern, words] of WORDS) {
    const found = message.match(pattern);
    if (found) return words.replace(/\$(\d)/g, (_, n) => found[Number(n)] ?? '');
  }
  return undefined;
};

/** Compiles a text without running it. @returns no problem where it is valid WGSL */
export async function problemsOf(gpu: GPUDevice, code: string): Promise<Problem[]> {
  gpu.pushErrorScope('validation');
  const module = gpu.createShaderModule({ code });
  const scope = gpu.popErrorScope();
  const { messages } = await module.getCompilationInfo();
  const failure = await scope;
  const problems = [...messages]
    .filter(({ type }) => type !== 'info')
    .map(({ type, message, lineNum, linePos, length }): Problem => {
      const words = plain(message);
      const [own] = message.split('\n'); // candidates and notes follow
      return {
        line: Math.max(lineNum, 1),
        column: Math.max(linePos, 1),
        length,
        severity: type === 'error' ? 'error' : 'warning',
        message: words ? `${words} (${own})` : own,
      };
    });
  const told = problems.some(({ severity }) => severity === 'error');
  if (failure && !told) problems.push({ line: 1, column: 1, length: 0, severity: 'error', message: failure.message });
  return problems;
}
