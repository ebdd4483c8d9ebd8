import { isUint8Array } from 'node:util/types';
import { concatBytes, encodeUtf8 } from '../bytes.ts';
import { KeyfoldError } from '../errors.ts';
import { encodeContext, fieldContext, label } from './context.ts';

export const NORMALISATIONS = ['none', 'nfc', 'nfc-lower'] as const;

/** Which values a blind index takes for equal. */
export type Normalisation = (typeof NORMALISATIONS)[number];

/** What an index key is derived for (spec/blind-index). */
export interface BlindIndexName {
  readonly tenant: string;
  readonly table: string;
  readonly column: string;
  readonly index: string;
  readonly normalisation: Normalisation;
  /** From 1. */
  readonly version: number;
}

/**
 * What an index key is derived from: `"keyfold/blind-index/v1" 00 || ctx`.
 * @throws KeyfoldError INVALID_ARGUMENT
 */
export function blindIndexInfo({ tenant, table, column, index, normalisation, version }: BlindIndexName): Uint8Array {
  if (!Number.isSafeInteger(version) || version < 1) throw new KeyfoldError('INVALID_ARGUMENT', 'The version of a blind index is a whole number from 1.');
  if (index === '') throw new KeyfoldError('INVALID_ARGUMENT', 'A blind index has a name.');
  fieldContext({ tenant, table, column });
  return concatBytes(label('keyfold/blind-index/v1'), encodeContext({ tenant, table, column, index, normalisation, version: String(version) }));
}

/**
 * The bytes whose equality an index shows.
 * @throws KeyfoldError INVALID_ARGUMENT for a lone surrogate, or bytes where text is normalised
 */
export function normalise(value: string | Uint8Array, normalisation: Normalisation): Uint8Array {
  if (typeof value === 'string') return encodeUtf8(NORMALISERS[normalisation](value), 'The value');
  if (normalisation === 'none' && isUint8Array(value)) return value;
  throw new KeyfoldError('INVALID_ARGUMENT', 'A blind index takes strings, and bytes only with the normalisation "none".');
}

const NORMALISERS: Readonly<Record<Normalisation, (text: string) => string>> = {
  none: (text) => text,
  nfc: (text) => text.normalize('NFC'),
  // Lower case can take a text out of NFC: J with caron has no capital of its own.
  'nfc-lower': (text) => text.normalize('NFC').toLowerCase().normalize('NFC'),
};
