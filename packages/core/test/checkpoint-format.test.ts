import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  DATA_HEADER_BYTES,
  METADATA_LIMIT_BYTES,
  dataBinding,
  encodeDataHeader,
  metadataBinding,
  parseDataHeader,
} from '../src/format/checkpoint.ts';
import { checkpointContext, encodeContext } from '../src/format/context.ts';
import { MalformedError } from '../src/format/reader.ts';
import { patterned, thrownBy } from './support/bytes.ts';
import { hex } from './support/vectors.ts';

const HEADER = { suite: 3, objectId: hex('000102030405060708090a0b0c0d0e0f'), dekId: hex('101112131415161718191a1b1c1d1e1f') };
const BY_HAND = hex('8f4b464301030000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');

function refused(bytes: Uint8Array): boolean {
  return thrownBy(() => parseDataHeader(bytes)) instanceof MalformedError;
}

describe('the header of a data object', () => {
  test('is written as its specification has it, byte for byte', () => {
    expect(encodeDataHeader(HEADER)).toEqual(BY_HAND);
    expect(BY_HAND.byteLength).toBe(DATA_HEADER_BYTES);
  });

  test('is read from bytes that were written by hand', () => {
    expect(parseDataHeader(BY_HAND)).toEqual(HEADER);
  });

  test('round-trips', () => {
    const id = fc.uint8Array({ minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(fc.nat({ max: 255 }), id, id, (suite, objectId, dekId) => {
        expect(parseDataHeader(encodeDataHeader({ suite, objectId, dekId }))).toEqual({ suite, objectId, dekId });
      }),
    );
  });

  test('is refused at every truncation and with a byte too many', () => {
    for (let length = 0; length < DATA_HEADER_BYTES; length++) expect(refused(BY_HAND.subarray(0, length))).toBe(true);
    expect(refused(new Uint8Array([...BY_HAND, 0]))).toBe(true);
  });

  test.each([0, 1, 2, 3, 4, 6, 7])('is refused when byte %i is any other', (offset) => {
    for (let value = 0; value < 256; value++) {
      if (value === BY_HAND[offset]) continue;
      const altered = new Uint8Array(BY_HAND);
      altered[offset] = value;
      expect(refused(altered)).toBe(true);
    }
  });
});

describe('what a checkpoint is bound to', () => {
  const context = checkpointContext('acme', 'job/1');

  test('for its data is the label, the header and the context', () => {
    const expected = Buffer.concat([Buffer.from('keyfold/checkpoint/v1\0', 'latin1'), BY_HAND, encodeContext(context)]);
    expect(Buffer.from(dataBinding(HEADER, context))).toEqual(expected);
  });

  test('for its metadata is the label, both ids and the context', () => {
    const expected = Buffer.concat([
      Buffer.from('keyfold/checkpoint-metadata/v1\0', 'latin1'),
      HEADER.objectId,
      HEADER.dekId,
      encodeContext(context),
    ]);
    expect(Buffer.from(metadataBinding(HEADER, context))).toEqual(expected);
  });

  test('differs with every id, suite, tenant and checkpoint', () => {
    const other = patterned(16);
    const bindings = [
      dataBinding(HEADER, context),
      dataBinding({ ...HEADER, suite: 1 }, context),
      dataBinding({ ...HEADER, objectId: other }, context),
      dataBinding({ ...HEADER, dekId: other }, context),
      dataBinding(HEADER, checkpointContext('acm', 'ejob/1')),
      dataBinding(HEADER, checkpointContext('acme', 'job/2')),
      metadataBinding(HEADER, context),
      metadataBinding({ ...HEADER, objectId: other }, context),
    ].map((bytes) => Buffer.from(bytes).toString('hex'));
    expect(new Set(bindings).size).toBe(bindings.length);
  });

  test('metadata of the greatest length just fits its place in the record once sealed', () => {
    const frames = Math.floor(METADATA_LIMIT_BYTES / 16_384) + 1;
    expect(24 + 32 + METADATA_LIMIT_BYTES + frames * 16).toBe(65_536);
  });
});
