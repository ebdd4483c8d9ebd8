import type { Call } from './call.ts';
import type { Parsed, Shape } from '../wire/shape.ts';

/** An answer before it is encoded: bytes and dates as such, undefined members left out. */
export type Output = Readonly<Record<string, unknown>>;

/** One operation of the API. */
export interface Operation {
  readonly name: string;
  /** The members of the request that the server knows. */
  readonly input: Shape;
  /** Parses the body and carries the operation out. */
  run(call: Call, body: Uint8Array): Output;
}

/** The names that DryRun and its like need are part of `input`; the rest is in `run`. */
export type Run<S extends Shape> = (call: Call, input: Parsed<S>) => Output | undefined;
