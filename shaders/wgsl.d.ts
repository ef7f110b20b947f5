/** A shader's text: `import wgsl from '../../shaders/prelu.wgsl'` (esbuild's text loader; a small plugin in vitest). */
declare module '*.wgsl' {
  const source: string;
  export default source;
}
