import { createHmac, createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, toHex } from '../src/bytes.ts';
import { hkdfExpandSha512 } from '../src/crypto/hkdf.ts';
import { sealMessage } from '../src/crypto/seal-message.ts';
import { checkpointContext, encodeContext, label } from '../src/format/context.ts';
import { HIDDEN_PREFIX_LIMIT_BYTES, decodeHiddenId, encodeHiddenId, encodeHiddenPrefix, parseHiddenRecord } from '../src/format/hidden-name.ts';
import { HiddenNames, NAME_KEY_CHECKPOINT, hiddenTenantName } from '../src/sealing/hidden-names.ts';
import { flipBit, patterned, secretKey } from './support/bytes.ts';

const DEK = secretKey(patterned(32, 'name key'));
const OTHER_DEK = secretKey(patterned(32, 'other'));
const names = new HiddenNames(DEK, 'acme');

function keyOf(use: string): ReturnType<typeof createSecretKey> {
  return createSecretKey(hkdfExpandSha512(DEK, label(use), 32));
}

/** What the specification says, in the order in which it says it. */
function nameBySpecification(tenant: string, id: string): string {
  const input = concatBytes(label('keyfold/hidden-name/v1'), encodeContext(checkpointContext(tenant, id)));
  return createHmac('sha256', keyOf('keyfold/hidden-names-mac-key/v1')).update(input).digest('hex');
}

/** A prefix over a plaintext of the test's own, for the name of `id`. */
function prefixOver(padded: Uint8Array, id = 'a'): Uint8Array {
  const binding = concatBytes(label('keyfold/hidden-name-id/v1'), Buffer.from(names.nameOf(id), 'hex'));
  return encodeHiddenPrefix(sealMessage(keyOf('keyfold/hidden-names-id-key/v1'), binding, padded));
}

describe('a hidden name', () => {
  test('is the HMAC that the specification describes', () => {
    for (const id of ['a', 'job-7/chk-42', 'ä\u{1f600}', 'A'.repeat(1_024)]) expect(names.nameOf(id)).toBe(nameBySpecification('acme', id));
  });

  test('is other for another id, another tenant and another key', () => {
    const all = [names.nameOf('a'), names.nameOf('b'), new HiddenNames(DEK, 'other').nameOf('a'), new HiddenNames(OTHER_DEK, 'acme').nameOf('a')];
    expect(new Set(all).size).toBe(4);
    for (const name of all) expect(name).toMatch(/^[0-9a-f]{64}$/);
  });

  test('is kept under a key whose checkpoint is no id: it begins with a slash', () => {
    expect(NAME_KEY_CHECKPOINT).toBe('/keyfold/hidden-names/v1');
  });

  test('stands below a name of the tenant that does not show it, and differs from tenant to tenant', () => {
    expect(hiddenTenantName('acme')).toBe('f27f558086b571de3c5df07a6cbc3f87');
    expect(hiddenTenantName('acme')).not.toBe(hiddenTenantName('acm'));
  });
});

describe('the sealed id in front of a record', () => {
  test('gives any id back to whoever has the key, other bytes every time', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 }).filter((id) => new TextEncoder().encode(id).byteLength <= 1_024), (id) => {
        const name = names.nameOf(id);
        expect(names.idOf(name, names.prefixOf(id))).toBe(id);
      }),
    );
    expect(toHex(names.prefixOf('a'))).not.toBe(toHex(names.prefixOf('a')));
  });

  test('shows the length of the id in steps of 128 bytes, and never has more than the limit', () => {
    const sizes = (length: number): number => names.prefixOf('x'.repeat(length)).byteLength;
    expect(sizes(1)).toBe(10 + 72 + 128);
    expect(sizes(126)).toBe(sizes(1));
    expect(sizes(127)).toBe(sizes(1) + 128);
    expect(sizes(1_024)).toBe(HIDDEN_PREFIX_LIMIT_BYTES);
  });

  test('leaves what follows as it is', () => {
    const prefix = names.prefixOf('a');
    const record = Uint8Array.of(1, 2, 3);
    expect(parseHiddenRecord(concatBytes(prefix, record))?.rest).toEqual(record);
    expect(names.idOf(names.nameOf('a'), concatBytes(prefix, record))).toBe('a');
  });

  test('does not open after any flipped bit, nor cut anywhere', () => {
    const prefix = names.prefixOf('a');
    const name = names.nameOf('a');
    for (let bit = 0; bit < 8 * prefix.byteLength; bit++) expect(names.idOf(name, flipBit(prefix, bit))).toBeUndefined();
    for (let end = 0; end < prefix.byteLength; end++) expect(names.idOf(name, prefix.subarray(0, end))).toBeUndefined();
  });

  test('does not open under another name, tenant or key', () => {
    const prefix = names.prefixOf('a');
    expect(names.idOf(names.nameOf('b'), prefix)).toBeUndefined();
    expect(names.idOf('a', prefix)).toBeUndefined();
    expect(names.idOf(names.nameOf('a').toUpperCase(), prefix)).toBeUndefined();
    expect(new HiddenNames(OTHER_DEK, 'acme').idOf(names.nameOf('a'), prefix)).toBeUndefined();
    // One DEK for two tenants cannot be; were it so, the name would still tell them apart.
    expect(new HiddenNames(DEK, 'other').idOf(names.nameOf('a'), prefix)).toBeUndefined();
  });

  test('is refused when it is sealed well and says what it must not', () => {
    const good = encodeHiddenId('a');
    const name = names.nameOf('a');
    expect(names.idOf(name, prefixOver(good))).toBe('a');
    expect(names.idOf(name, prefixOver(encodeHiddenId('b')))).toBeUndefined();
    expect(names.idOf(name, prefixOver(concatBytes(good, new Uint8Array(128))))).toBeUndefined();
    expect(names.idOf(name, prefixOver(flipBit(good, 8 * 127)))).toBeUndefined();
  });

  test.each([
    ['nothing', new Uint8Array(0)],
    ['an empty id', new Uint8Array(128)],
    ['a length beyond the end', Uint8Array.of(0, 127, ...new Uint8Array(126))],
    ['no UTF-8', Uint8Array.of(0, 1, 0xff, ...new Uint8Array(125))],
    ['no whole block', encodeHiddenId('a').subarray(0, 100)],
    ['an id of more than 1,024 bytes', Uint8Array.of(4, 1, ...new Uint8Array(1_150).fill(0x61))],
  ])('holds no id: %s', (_, padded) => {
    expect(decodeHiddenId(padded)).toBeUndefined();
  });

  test.each([
    ['another magic', 0],
    ['another version', 4],
    ['a reserved byte', 5],
    ['another reserved byte', 7],
  ])('is no prefix: %s', (_, at) => {
    expect(parseHiddenRecord(flipBit(names.prefixOf('a'), 8 * at))).toBeUndefined();
  });

  test('is no prefix: a length that no padded id has', () => {
    for (const length of [0, 72, 199, 201, 1_225, 1_352]) expect(parseHiddenRecord(encodeHiddenPrefix(new Uint8Array(length)))).toBeUndefined();
    for (let blocks = 1; blocks <= 9; blocks++) expect(parseHiddenRecord(encodeHiddenPrefix(new Uint8Array(72 + 128 * blocks)))).toBeDefined();
  });
});
