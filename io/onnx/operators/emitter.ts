import type { Shape } from '../../../engine/tensor.ts';
import type { Extent, Graph } from '../graph.ts';

/** An input of an op: a value of the graph being written. */
export interface Operand {
  /** At the sizes that the network was traced at. */
  readonly shape: Shape;
  /** Its name in the graph. */
  readonly name: string;
  /** A size: a number where it is always the same. */
  dim(axis: number): Extent;
  dims(): Extent[];
  /** Its name under another shape; constants are stored in it. */
  as(shape: Shape): string;
}

/** One op to be written down. */
// biome-ignore lint/suspicious/noExplicitAny: attributes differ from op to op
export interface Emission<A = any> {
  readonly graph: Graph;
  readonly attrs: A;
  input(name: string): Operand;
  /** The name of an input, if it is there. */
  optional(name: string): Operand | undefined;
  /** Of the result, at the sizes that the network was traced at. */
  readonly shape: Shape;
  /** The same, where it is always the same. */
  readonly known: readonly (number | undefined)[];
}

/** How ONNX says an op. */
export interface Emitter {
  /** All inputs and attributes that it heeds: an op that has learned more since is refused. */
  readonly inputs: readonly string[];
  readonly attrs: readonly string[];
  /** Attributes that may be Sizes: they follow from the size of the network's input. */
  readonly sized?: readonly string[];
  /** Adds nodes, and returns the name of the result. @throws {UsageError} where ONNX has no form for these attributes */
  emit(call: Emission): string;
}

export type Emitters = Readonly<Record<string, Emitter>>;
