import { isUint8Array } from 'node:util/types';
import { decodeUtf8, encodeUtf8 } from '../bytes.ts';
import { KeyfoldError } from '../errors.ts';
import { looksLikeField } from '../format/field.ts';
import { fieldFromText, fieldToText, looksLikeFieldText } from '../format/field-text.ts';

/** What a column's values are to the application, by the names of policies. */
export interface ContentTypes {
  text: string;
  bytes: Uint8Array;
}

/** What a column's values are to the database. */
export interface EncodingTypes {
  text: string;
  binary: Uint8Array;
}

/** Between a value and the bytes that are sealed. */
export interface ContentCodec<Value> {
  /** Whether `encode` makes a copy that is to be wiped. */
  readonly copies: boolean;
  /** @throws KeyfoldError INVALID_ARGUMENT */
  encode(value: Value): Uint8Array;
  /** Undefined when no value has these bytes; takes them over. */
  decode(bytes: Uint8Array): Value | undefined;
}

/** Between a sealed field and what the database holds. */
export interface EncodingCodec<Stored> {
  /** @throws KeyfoldError INVALID_ARGUMENT for a value of another type */
  require(stored: Stored): void;
  looksSealed(stored: Stored): boolean;
  encode(field: Uint8Array): Stored;
  /** Undefined for what `encode` does not give. */
  decode(stored: Stored): Uint8Array | undefined;
  /** The bytes of a value that was never sealed, in memory of its own. */
  legacy(stored: Stored): Uint8Array | undefined;
}

export const CONTENTS: { readonly [Name in keyof ContentTypes]: ContentCodec<ContentTypes[Name]> } = {
  text: {
    copies: true,
    encode: (value) => {
      if (typeof value !== 'string') throw new KeyfoldError('INVALID_ARGUMENT', 'A text column seals strings.');
      return encodeUtf8(value, 'The value');
    },
    decode: (bytes) => {
      const text = decodeUtf8(bytes);
      bytes.fill(0);
      return text;
    },
  },
  bytes: {
    copies: false,
    encode: (value) => {
      if (!isUint8Array(value)) throw new KeyfoldError('INVALID_ARGUMENT', 'A column of bytes seals Uint8Arrays.');
      return value;
    },
    decode: (bytes) => bytes,
  },
};

export const ENCODINGS: { readonly [Name in keyof EncodingTypes]: EncodingCodec<EncodingTypes[Name]> } = {
  text: {
    require: (stored) => {
      if (typeof stored !== 'string') throw new KeyfoldError('INVALID_ARGUMENT', 'A column with encoding "text" stores strings.');
    },
    looksSealed: looksLikeFieldText,
    encode: fieldToText,
    decode: fieldFromText,
    legacy: (stored) => (stored.isWellFormed() ? encodeUtf8(stored, 'The value') : undefined),
  },
  binary: {
    require: (stored) => {
      if (!isUint8Array(stored)) throw new KeyfoldError('INVALID_ARGUMENT', 'A column with encoding "binary" stores Uint8Arrays.');
    },
    looksSealed: looksLikeField,
    encode: (field) => field,
    decode: (stored) => stored,
    legacy: (stored) => new Uint8Array(stored),
  },
};
