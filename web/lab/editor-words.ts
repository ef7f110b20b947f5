import type { StreamParser } from '@codemirror/language';

const words = (list: string): ReadonlySet<string> => new Set(list.split(' '));

const WGSL_KEYWORDS = words(
  'alias break case const const_assert continue continuing default diagnostic discard else enable false fn for if let loop ' +
    'override requires return struct switch true var while',
);
const WGSL_TYPES = words(
  'array atomic bool f16 f32 i32 u32 ptr function private workgroup uniform storage read write read_write ' +
    'vec2 vec3 vec4 vec2f vec3f vec4f vec2i vec3i vec4i vec2u vec3u vec4u vec2h vec3h vec4h ' +
    'mat2x2 mat2x3 mat2x4 mat3x2 mat3x3 mat3x4 mat4x2 mat4x3 mat4x4 mat2x2f mat2x3f mat2x4f mat3x2f mat3x3f mat3x4f ' +
    'mat4x2f mat4x3f mat4x4f',
);
const WGSL_BUILTINS = words(
  'abs all any arrayLength atan atan2 ceil clamp cos cross determinant distance dot exp exp2 floor fma fract inverseSqrt ' +
    'length log log2 max min mix modf normalize pow round saturate select sign sin smoothstep sqrt step tan tanh transpose trunc ' +
    'bitcast countOneBits firstLeadingBit firstTrailingBit reverseBits ' +
    'atomicAdd atomicSub atomicMax atomicMin atomicAnd atomicOr atomicXor atomicLoad atomicStore atomicExchange ' +
    'workgroupBarrier storageBarrier workgroupUniformLoad ' +
    'subgroupShuffle subgroupBroadcast subgroupAdd subgroupAny subgroupAll subgroupElect ' +
    'global_invocation_id local_invocation_id local_invocation_index workgroup_id num_workgroups',
);

const TYPESCRIPT_KEYWORDS = words(
  'abstract as async await break case catch class const constructor continue default delete do else export extends false ' +
    'finally for from function get if implements import in instanceof interface keyof let new null of private protected ' +
    'public readonly return satisfies set static super switch this throw true try type typeof undefined using while yield',
);
const TYPESCRIPT_TYPES = words('any bigint boolean never number object string symbol unknown void');

/** Colours word by word; only block comments, which nest in WGSL alone, reach beyond a line. */
function byWords(
  name: string,
  wordOf: (word: string) => string | null,
  nests: boolean,
  text?: RegExp,
): StreamParser<{ comments: number; braces: number }> {
  return {
    name,
    startState: () => ({ comments: 0, braces: 0 }),
    token(stream, state) {
      if (state.comments > 0 || stream.match('/*')) {
        if (state.comments === 0) state.comments = 1;
        while (state.comments > 0 && !stream.eol()) {
          if (nests && stream.match('/*')) state.comments++;
          else if (stream.match('*/')) state.comments--;
          else stream.next();
        }
        return 'comment';
      }
      if (stream.eatSpace()) return null;
      if (stream.match('//')) {
        stream.skipToEnd();
        return 'comment';
      }
      if (text && stream.match(text)) return 'string';
      if (stream.match(/^@\w+/)) return 'meta';
      if (
        stream.match(/^(0x[\da-f]+(\.[\da-f]*)?(p[+-]?\d+)?|\d[\d_]*\.?\d*(e[+-]?\d+)?|\.\d+(e[+-]?\d+)?)[iufhn]?/i)
      ) {
        return 'number';
      }
      const word = stream.match(/^[\p{XID_Start}_]\p{XID_Continue}*/u) as RegExpMatchArray | null;
      if (word) return wordOf(word[0]);
      const sign = stream.next();
      if (sign === '{') state.braces++;
      if (sign === '}') state.braces = Math.max(0, state.braces - 1);
      return null;
    },
    indent: ({ braces }, after, { unit }) => Math.max(0, braces - (/^\s*\}/.test(after) ? 1 : 0)) * unit,
    languageData: { commentTokens: { line: '//', block: { open: '/*', close: '*/' } }, indentOnInput: /^\s*\}$/ },
  };
}

export const wgsl = byWords(
  'wgsl',
  (word) =>
    WGSL_KEYWORDS.has(word)
      ? 'keyword'
      : WGSL_TYPES.has(word)
        ? 'typeName'
        : WGSL_BUILTINS.has(word)
          ? 'variableName.standard'
          : null,
  true,
);

/** Enough to read by. Types are what begins with a capital, and not all are. */
export const typescript = byWords(
  'typescript',
  (word) =>
    TYPESCRIPT_KEYWORDS.has(word)
      ? 'keyword'
      : TYPESCRIPT_TYPES.has(word) || /^[A-Z]\w*[a-z]/.test(word)
        ? 'typeName'
        : null,
  false,
  /^('([^'\\]|\\.)*'|"([^"\\]|\\.)*"|`([^`\\]|\\.)*`)/,
);
