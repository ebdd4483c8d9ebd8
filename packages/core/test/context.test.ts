import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex } from '../src/bytes.ts';
import { isKeyfoldError } from '../src/errors.ts';
import {
  CONTEXT_LIMITS,
  checkpointContext,
  decodeContext,
  encodeContext,
  encodeWrapContext,
  kmsAad,
  label,
  wrapContext,
  type EncryptionContext,
} from '../src/format/context.ts';
import { flipBit, patterned, thrownBy } from './support/bytes.ts';
import { hex } from './support/vectors.ts';

/** Hex written field by field, spaces for the reader. */
function bytes(...fields: string[]): Uint8Array {
  return hex(fields.join('').replaceAll(' ', ''));
}

function ascii(text: string): string {
  return Buffer.from(text, 'latin1').toString('hex');
}

function refused(run: () => unknown): void {
  expect(isKeyfoldError(thrownBy(run), 'INVALID_ARGUMENT')).toBe(true);
}

const DEK_ID = hex('000102030405060708090a0b0c0d0eff');

const keys = fc
  .tuple(fc.constantFrom(...Array.from('az09m')), fc.string({ unit: fc.constantFrom(...Array.from('az09._-')), maxLength: 63 }))
  .map(([first, rest]) => first + rest);
const contexts = fc
  .uniqueArray(fc.tuple(keys, fc.string({ unit: 'binary', maxLength: 40 })), { minLength: 1, maxLength: 32, selector: ([key]) => key })
  .map((entries): EncryptionContext => Object.fromEntries(entries));

describe('the canonical bytes of a context', () => {
  test('of a checkpoint', () => {
    expect(encodeContext(checkpointContext('acme', 'run-1'))).toEqual(
      bytes(
        '01 03',
        '000a 636865636b706f696e74', '00000005 72756e2d31', // checkpoint = run-1
        '0007 707572706f7365', '0000000a 636865636b706f696e74', // purpose = checkpoint
        '0006 74656e616e74', '00000004 61636d65', // tenant = acme
      ),
    );
  });

  test('of a wrap', () => {
    expect(encodeContext(wrapContext('index-root', 'é', 'default', DEK_ID))).toEqual(
      bytes(
        '01 05',
        '0003 64656b', '00000020', ascii('000102030405060708090a0b0c0d0eff'), // dek
        '0007 707572706f7365', '00000004 77726170', // purpose = wrap
        '0005 73636f7065', '00000007 64656661756c74', // scope = default
        '0006 74656e616e74', '00000002 c3a9', // tenant = é
        '0003 757365', '0000000a 696e6465782d726f6f74', // use = index-root
      ),
    );
  });

  test('of one key with an empty value', () => {
    expect(encodeContext({ a: '' })).toEqual(bytes('01 01 0001 61 00000000'));
  });

  test('are ordered by byte, not by locale or by insertion', () => {
    const ordered = ['0', '10', '9', 'a', 'a-b', 'a.b', 'a0', 'a_b', 'ab', 'b', 'ba'];
    const context = Object.fromEntries([...ordered].reverse().map((key) => [key, key]));
    const encoded = encodeContext(context);
    expect(encoded).toEqual(bytes('01 0b', ...ordered.map((key) => `${hexLength(key, 4)}${ascii(key)}${hexLength(key, 8)}${ascii(key)}`)));
    expect(encodeContext(decodeContext(encoded))).toEqual(encoded);
  });

  test('values keep their form: no normalisation, no trimming, U+FEFF and U+0000 included', () => {
    expect(encodeContext({ a: '\u00e9' })).not.toEqual(encodeContext({ a: 'e\u0301' }));
    for (const value of ['\ufeff', '\ufeffa', ' a ', 'a\u0000b', '\u{1f511}', '\r\n']) {
      expect(decodeContext(encodeContext({ a: value }))).toEqual({ a: value });
    }
  });

  test('do not depend on the order of insertion', () => {
    fc.assert(
      fc.property(
        contexts.chain((context) => fc.tuple(fc.constant(context), fc.shuffledSubarray(Object.keys(context), { minLength: Object.keys(context).length }))),
        ([context, order]) => {
          const shuffled = Object.fromEntries(order.map((key) => [key, context[key] ?? '']));
          expect(encodeContext(shuffled)).toEqual(encodeContext(context));
        },
      ),
    );
  });

  test('read back to the context that they were made of', () => {
    fc.assert(
      fc.property(contexts, (context) => {
        expect(decodeContext(encodeContext(context))).toEqual(context);
      }),
    );
  });

  test('differ for different contexts', () => {
    fc.assert(
      fc.property(contexts, contexts, (a, b) => {
        const equal = JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
        expect(toHex(encodeContext(a)) === toHex(encodeContext(b))).toBe(equal);
      }),
    );
  });

  test('cannot be shifted across a boundary', () => {
    const shifted = [
      { a: 'ab', b: 'c' }, { a: 'a', b: 'bc' }, { a: 'abc', b: '' }, { a: '', b: 'abc' },
      { ab: 'c' }, { a: 'bc' }, { abc: '' }, { a: 'ab\u0000\u0001b\u0000\u0000\u0000\u0001c' },
    ];
    expect(new Set(shifted.map((context) => toHex(encodeContext(context)))).size).toBe(shifted.length);
    const ids = [checkpointContext('ab', 'c'), checkpointContext('a', 'bc'), wrapContext('checkpoint', 'ab', 'c', DEK_ID), wrapContext('checkpoint', 'a', 'bc', DEK_ID)];
    expect(new Set(ids.map((context) => toHex(encodeContext(context)))).size).toBe(ids.length);
  });
});

function hexLength(text: string, digits: number): string {
  return text.length.toString(16).padStart(digits, '0');
}

describe('what encoding refuses', () => {
  test('anything but an object of own string keys', () => {
    for (const context of [null, undefined, 'abc', 7, ['a'], []]) {
      refused(() => encodeContext(context as unknown as EncryptionContext));
    }
  });

  test('no key, and more than 32', () => {
    const of = (count: number): EncryptionContext => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']));
    refused(() => encodeContext({}));
    refused(() => encodeContext(of(33)));
    refused(() => encodeContext(of(300)));
    expect(decodeContext(encodeContext(of(32)))).toEqual(of(32));
    expect(decodeContext(encodeContext(of(1)))).toEqual(of(1));
  });

  test.each([
    '', 'A', 'aB', '-a', '.a', '_a', '__proto__', 'a b', 'a\n', '\na', 'a/b', 'é', 'aé', 'a\u0000', '\ud800', 'ａ', 'a'.repeat(65),
  ])('the key %j', (key) => {
    refused(() => encodeContext(Object.fromEntries([[key, 'v']])));
    refused(() => encodeContext(Object.fromEntries([['a', 'v'], [key, 'v']])));
  });

  test.each(['a', '0', 'a-._', 'constructor', 'tostring', 'hasownproperty', 'a'.repeat(64)])(
    'but not the key %j, which is a name like any other',
    (key) => {
      const context = Object.fromEntries([[key, 'v']]);
      const decoded = decodeContext(encodeContext(context));
      expect(Object.entries(decoded)).toEqual([[key, 'v']]);
    },
  );

  test('an inherited or hidden property is no key', () => {
    const context = Object.create({ tenant: 'inherited' }) as Record<string, string>;
    context['a'] = 'v';
    Object.defineProperty(context, 'hidden', { value: 'v', enumerable: false });
    expect(encodeContext(context)).toEqual(encodeContext({ a: 'v' }));
  });

  test('a getter is read once, so that what was checked is what is encoded', () => {
    let reads = 0;
    const context = {
      get a(): string {
        reads++;
        return `read ${reads}`;
      },
    };
    expect(decodeContext(encodeContext(context))).toEqual({ a: 'read 1' });
  });

  test.each([undefined, null, 5, 5n, true, Symbol('v'), [], ['v'], {}, { toString: () => 'v' }, new String('v'), Buffer.from('v')])(
    'a value that is no string: case %#',
    (value) => {
      refused(() => encodeContext({ a: value } as unknown as EncryptionContext));
      refused(() => checkpointContext(value as string, 'id'));
      refused(() => checkpointContext('tenant', value as string));
      refused(() => wrapContext('field', value as string, 'scope', DEK_ID));
      refused(() => wrapContext('field', 'tenant', value as string, DEK_ID));
    },
  );

  test.each(['\ud800', 'a\udc00', '\udc00\ud800'])('a value with a lone surrogate: case %#', (value) => {
    refused(() => encodeContext({ a: value }));
    refused(() => checkpointContext(value, 'id'));
    refused(() => wrapContext('field', 'tenant', value, DEK_ID));
  });

  test('a value of more than 65,536 bytes, counted as UTF-8', () => {
    for (const value of ['x'.repeat(65_536), 'é'.repeat(32_768), '\u{1f511}'.repeat(16_384)]) {
      expect(decodeContext(encodeContext({ a: value }))).toEqual({ a: value });
      refused(() => encodeContext({ a: `${value}x` }));
    }
    refused(() => encodeContext({ a: 'é'.repeat(32_769) }));
    refused(() => encodeContext({ a: '€'.repeat(21_846) }));
  });
});

describe('what decoding refuses', () => {
  const A = '0001 61 00000001 78';
  const B = '0001 62 00000001 79';

  test('the well-formed example is accepted', () => {
    expect(decodeContext(bytes('01 02', A, B))).toEqual({ a: 'x', b: 'y' });
  });

  test.each([
    ['nothing', ''],
    ['no count', '01'],
    ['version 00', `00 01 ${A}`],
    ['version 02', `02 01 ${A}`],
    ['no keys', '01 00'],
    ['a key more than it counts', `01 01 ${A}${B}`],
    ['a key less than it counts', `01 02 ${A}`],
    ['a trailing byte', `01 01 ${A} 00`],
    ['keys out of order', `01 02 ${B}${A}`],
    ['a duplicate key', `01 02 ${A}${A}`],
    ['a duplicate key with another value', `01 02 ${A} 0001 61 00000001 79`],
    ['a longer key before its own prefix', '01 02 0002 6161 00000000 0001 61 00000000'],
    ['an empty key', '01 01 0000 00000001 78'],
    ['an uppercase key', '01 01 0001 41 00000001 78'],
    ['a key that begins with a hyphen', '01 01 0001 2d 00000001 78'],
    ['a key with a newline at its end', '01 01 0002 610a 00000001 78'],
    ['__proto__', `01 01 0009 ${ascii('__proto__')} 00000001 78`],
    ['a key of 65 bytes', `01 01 0041 ${'61'.repeat(65)} 00000000`],
    ['a key that is no UTF-8', '01 01 0001 ff 00000001 78'],
    ['a value that is no UTF-8', '01 01 0001 61 00000001 ff'],
    ['a value with an encoded surrogate', '01 01 0001 61 00000003 eda080'],
    ['a value with an overlong form', '01 01 0001 61 00000002 c080'],
    ['a value past the end', '01 01 0001 61 00000002 78'],
    ['a value length of 2^32-1', '01 01 0001 61 ffffffff 78'],
    ['a key length of 2^16-1', '01 01 ffff 61'],
  ])('%s', (_, fields) => {
    refused(() => decodeContext(bytes(fields)));
  });

  test('33 keys, although their bytes are all there', () => {
    const of = (count: number): Uint8Array =>
      bytes('01', count.toString(16).padStart(2, '0'), ...Array.from({ length: count }, (_, i) => `0002 ${ascii(String(i + 10))} 00000000`));
    expect(Object.keys(decodeContext(of(32))).length).toBe(32);
    refused(() => decodeContext(of(33)));
  });

  test('a value of 65,537 bytes, although they are all there', () => {
    const of = (length: number): Uint8Array =>
      bytes('01 01 0001 61', length.toString(16).padStart(8, '0'), '78'.repeat(length));
    expect(decodeContext(of(65_536))['a']?.length).toBe(65_536);
    refused(() => decodeContext(of(65_537)));
  });

  test('every truncation, and extension by a byte', () => {
    const encoded = encodeContext(wrapContext('checkpoint', 'acme', 'run-1', DEK_ID));
    for (let length = 0; length < encoded.byteLength; length++) refused(() => decodeContext(encoded.subarray(0, length)));
    refused(() => decodeContext(Buffer.concat([encoded, new Uint8Array(1)])));
  });

  test('every bit flip, or it reads another context whose canonical bytes are exactly these', () => {
    const original = encodeContext(wrapContext('checkpoint', 'acmé', 'run-1', DEK_ID));
    let accepted = 0;
    for (let bit = 0; bit < original.byteLength * 8; bit++) {
      const flipped = flipBit(original, bit);
      let context: EncryptionContext;
      try {
        context = decodeContext(flipped);
      } catch (error) {
        expect(isKeyfoldError(error, 'INVALID_ARGUMENT')).toBe(true);
        continue;
      }
      accepted++;
      expect(encodeContext(context)).toEqual(flipped);
    }
    expect(accepted).toBeGreaterThan(0);
  });

  test('any bytes, or it reads a context whose canonical bytes are exactly these', () => {
    const nearly = contexts.chain((context) => {
      const encoded = encodeContext(context);
      return fc
        .array(fc.tuple(fc.nat({ max: encoded.byteLength - 1 }), fc.nat({ max: 255 })), { maxLength: 3 })
        .map((edits) => {
          for (const [at, value] of edits) encoded[at] = value;
          return encoded;
        });
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), nearly), (input) => {
        let context: EncryptionContext;
        try {
          context = decodeContext(input);
        } catch (error) {
          expect(isKeyfoldError(error, 'INVALID_ARGUMENT')).toBe(true);
          return;
        }
        expect(encodeContext(context)).toEqual(new Uint8Array(input));
      }),
      { numRuns: 500 },
    );
  });

  test('says why to nobody: the message is one, and the cause holds no bytes', () => {
    const errors = ['', '01 00', `01 01 ${A} 00`, '01 01 0001 61 00000001 ff'].map((fields) => thrownBy(() => decodeContext(bytes(fields))));
    expect(new Set(errors.map((error) => (error as Error).message)).size).toBe(1);
    for (const error of errors) expect((error as Error).cause).toEqual({ name: 'MalformedError' });
  });

  test('what it reads is frozen', () => {
    expect(Object.isFrozen(decodeContext(bytes('01 01', A)))).toBe(true);
  });
});

describe('the contexts of checkpoints and wraps', () => {
  test('have exactly their keys and are frozen', () => {
    const checkpoint = checkpointContext('acme', 'run-1');
    expect(checkpoint).toEqual({ purpose: 'checkpoint', tenant: 'acme', checkpoint: 'run-1' });
    const wrap = wrapContext('audit', 'acme', 'default', DEK_ID);
    expect(wrap).toEqual({ purpose: 'wrap', use: 'audit', tenant: 'acme', scope: 'default', dek: '000102030405060708090a0b0c0d0eff' });
    expect(Object.isFrozen(checkpoint)).toBe(true);
    expect(Object.isFrozen(wrap)).toBe(true);
  });

  test('differ by every part', () => {
    const encodings = [
      checkpointContext('a', 'b'), checkpointContext('a', 'c'), checkpointContext('b', 'b'),
      ...(['checkpoint', 'field', 'index-root', 'audit'] as const).map((use) => wrapContext(use, 'a', 'b', DEK_ID)),
      wrapContext('field', 'b', 'b', DEK_ID), wrapContext('field', 'a', 'c', DEK_ID), wrapContext('field', 'a', 'b', flipBit(DEK_ID, 0)),
    ].map((context) => toHex(encodeContext(context)));
    expect(new Set(encodings).size).toBe(encodings.length);
  });

  // 257 bytes as 257 units, as fewer two-byte letters, and as one four-byte letter too many
  const tenants = { fits: ['t', 't'.repeat(256), 'é'.repeat(128), '\u{1f511}'.repeat(64)], not: ['', 't'.repeat(257), 'é'.repeat(129), `${'\u{1f511}'.repeat(64)}t`] };
  const ids = { fits: ['i', 'i'.repeat(1_024), 'é'.repeat(512)], not: ['', 'i'.repeat(1_025), 'é'.repeat(512) + 'i', '€'.repeat(342)] };

  test('a tenant has 1 to 256 bytes of UTF-8', () => {
    for (const tenant of tenants.fits) {
      expect(checkpointContext(tenant, 'id')).toMatchObject({ tenant });
      expect(wrapContext('field', tenant, 'scope', DEK_ID)).toMatchObject({ tenant });
    }
    for (const tenant of tenants.not) {
      refused(() => checkpointContext(tenant, 'id'));
      refused(() => wrapContext('field', tenant, 'scope', DEK_ID));
    }
  });

  test('a checkpoint id and a scope have 1 to 1,024 bytes of UTF-8', () => {
    for (const id of ids.fits) {
      expect(checkpointContext('tenant', id)).toMatchObject({ checkpoint: id });
      expect(wrapContext('field', 'tenant', id, DEK_ID)).toMatchObject({ scope: id });
    }
    for (const id of ids.not) {
      refused(() => checkpointContext('tenant', id));
      refused(() => wrapContext('field', 'tenant', id, DEK_ID));
    }
  });

  test.each([0, 15, 17, 32])('a DEK id of %i bytes is refused', (length) => {
    refused(() => wrapContext('field', 'tenant', 'scope', patterned(length)));
  });
});

describe('what a KMS is asked to bind', () => {
  test('is the label, a zero byte and the canonical context', () => {
    const context = wrapContext('checkpoint', 'acme', 'run-1', DEK_ID);
    expect(toHex(kmsAad(context))).toBe(`${ascii('keyfold/kms/v1')}00${toHex(encodeContext(context))}`);
    expect(encodeWrapContext(context)).toEqual(encodeContext(context));
  });

  test('the largest tenant and scope fit', () => {
    const context = wrapContext('index-root', 't'.repeat(256), 's'.repeat(1_024), DEK_ID);
    expect(kmsAad(context).byteLength).toBeLessThanOrEqual(15 + CONTEXT_LIMITS.encodedWrapBytes);
  });

  test('an encoded context of 4,096 bytes is accepted and one of 4,097 refused', () => {
    const overhead = encodeContext({ a: '' }).byteLength;
    expect(encodeWrapContext({ a: 'x'.repeat(4_096 - overhead) }).byteLength).toBe(4_096);
    expect(kmsAad({ a: 'x'.repeat(4_096 - overhead) }).byteLength).toBe(15 + 4_096);
    refused(() => encodeWrapContext({ a: 'x'.repeat(4_097 - overhead) }));
    refused(() => kmsAad({ a: 'x'.repeat(4_097 - overhead) }));
  });

  test('a label ends in a zero byte, so that none begins another', () => {
    expect(toHex(label('ab'))).toBe('616200');
  });
});

describe('the specification', () => {
  const text = readFileSync(new URL('../../../docs/spec/encryption-context.md', import.meta.url), 'utf8');
  const examples = text.slice(text.indexOf('## 7. Examples'));

  test('has the bytes that the code writes', () => {
    // Each line of an example is hex, then perhaps an explanation behind three spaces.
    const blocks = Array.from(examples.matchAll(/```\n([^`]+)```/g), ([, block = '']) =>
      bytes(...block.split('\n').map((line) => line.replace(/ {3,}[^0-9 ].*$/, ''))),
    );
    expect(blocks).toEqual([
      encodeContext(checkpointContext('acme', 'run-1')),
      encodeContext(wrapContext('index-root', 'é', 'default', DEK_ID)),
    ]);
  });

  test('lists bytes that the code refuses', () => {
    const rows = Array.from(examples.matchAll(/^\| `([0-9a-f ]+)` \|/gm), ([, row = '']) => row);
    expect(rows.length).toBe(7);
    for (const row of rows) refused(() => decodeContext(bytes(row)));
  });
});
