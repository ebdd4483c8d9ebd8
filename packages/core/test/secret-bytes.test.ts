import { format, inspect } from 'node:util';
import { serialize, deserialize } from 'node:v8';
import { describe, expect, test } from 'vitest';
import { systemRandomSource } from '../src/crypto/random.ts';
import { SecretBytes } from '../src/crypto/secret-bytes.ts';
import { isKeyfoldError } from '../src/errors.ts';
import { flipBit, patterned, thrownBy } from './support/bytes.ts';

const REDACTED = '[SecretBytes]';

function secret(): SecretBytes {
  return SecretBytes.copyOf(patterned(32));
}

function bytesOf(key: SecretBytes): Uint8Array {
  return key.expose((bytes) => new Uint8Array(bytes));
}

/** The ways in which the bytes would look if a rendering let them through. */
const leaks = [
  Buffer.from(patterned(32)).toString('hex').slice(0, 16),
  Buffer.from(patterned(32)).toString('base64').slice(0, 12),
  Array.from(patterned(32)).slice(0, 3).join(','),
  Array.from(patterned(32)).slice(0, 3).join(', '),
  Buffer.from(patterned(32)).toString('hex', 0, 4).replace(/..(?=.)/g, '$& '),
];

describe('a secret shows itself in no rendering', () => {
  const key = secret();
  const carrier = { user: 'ann', deep: { list: [key], map: new Map([[key, key]]), set: new Set([key]) } };

  test.each([
    ['a string conversion', String(key)],
    ['concatenation', ''.concat(key as unknown as string)],
    ['toString', key.toString()],
    ['JSON as a value', JSON.parse(JSON.stringify(key)) as unknown],
    ['inspect', inspect(key)],
    ['inspect with hidden properties', inspect(key, { depth: null, showHidden: true, getters: true, showProxy: true })],
  ])('%s gives the placeholder', (_, rendering) => {
    expect(rendering).toBe(REDACTED);
  });

  test.each([
    ['JSON in an object', JSON.stringify(carrier)],
    ['nested inspect', inspect(carrier, { depth: null, showHidden: true, getters: true })],
    ['console.log with a string', format('%s', key)],
    ['console.log with an object', format('%o %O %j', key, carrier, carrier)],
    ['console.log of several values', format('key', key, carrier)],
    ['console.table rows', inspect(Object.entries(carrier.deep), { depth: null })],
  ])('%s has the placeholder and no bytes', (_, rendering) => {
    expect(rendering).toContain(REDACTED);
    for (const leak of leaks) expect(rendering).not.toContain(leak);
  });

  test('inspect without custom inspection, and with prototypes shown, finds no bytes', () => {
    const rendering = inspect(carrier, { depth: null, customInspect: false, showHidden: true, getters: true });
    for (const leak of leaks) expect(rendering).not.toContain(leak);
  });

  test('a number conversion gives nothing', () => {
    expect(Number(key)).toBeNaN();
  });

  test('it has no own properties to list, spread, assign or iterate', () => {
    expect(Reflect.ownKeys(key)).toEqual([]);
    expect(Object.keys(key)).toEqual([]);
    expect(Reflect.ownKeys(Object.assign({}, key))).toEqual([]);
    expect(Symbol.iterator in key).toBe(false);
  });

  test('a structured clone, for example a message to a worker, holds nothing', () => {
    for (const clone of [structuredClone(key) as object, deserialize(serialize(key)) as object]) {
      expect(Reflect.ownKeys(clone)).toEqual([]);
      expect(clone).not.toBeInstanceOf(SecretBytes);
    }
  });

  test('an error thrown by whoever used it does not carry it', () => {
    const error = thrownBy(() => {
      key.expose(() => {
        throw new TypeError('used wrongly');
      });
    });
    const rendering = inspect(error, { depth: null, showHidden: true });
    for (const leak of leaks) expect(rendering).not.toContain(leak);
  });
});

describe('ownership', () => {
  test('adopt takes the memory over, and dispose overwrites it', () => {
    const memory = patterned(32);
    const key = SecretBytes.adopt(memory);
    expect(key.expose((bytes) => bytes)).toBe(memory);
    key.dispose();
    expect(memory).toEqual(new Uint8Array(32));
  });

  test('adopting part of a buffer overwrites that part alone', () => {
    const memory = patterned(48);
    SecretBytes.adopt(memory.subarray(8, 40)).dispose();
    expect(memory.subarray(8, 40)).toEqual(new Uint8Array(32));
    expect(memory.subarray(0, 8)).toEqual(patterned(48).subarray(0, 8));
    expect(memory.subarray(40)).toEqual(patterned(48).subarray(40));
  });

  test.each([
    ['a Uint8Array', patterned(32)],
    ['a Buffer', Buffer.from(patterned(32))],
    ['part of a buffer', Buffer.from(patterned(40)).subarray(0, 32)],
  ])('copyOf leaves %s to its owner', (_, memory) => {
    const key = SecretBytes.copyOf(memory);
    key.expose((bytes) => {
      expect(bytes.buffer).not.toBe(memory.buffer);
      expect(bytes.buffer.byteLength).toBe(32);
    });
    memory.fill(0);
    expect(bytesOf(key)).not.toEqual(new Uint8Array(32));
    key.dispose();
    expect(Array.from(memory)).toEqual(Array.from(new Uint8Array(32)));
  });

  test('disposing of a copy leaves the original readable', () => {
    const memory = patterned(32);
    SecretBytes.copyOf(memory).dispose();
    expect(memory).toEqual(patterned(32));
  });

  test('random takes its bytes from the source', () => {
    const asked: number[] = [];
    const key = SecretBytes.random(32, {
      bytes: (length) => {
        asked.push(length);
        return patterned(length);
      },
    });
    expect(asked).toEqual([32]);
    expect(bytesOf(key)).toEqual(patterned(32));
    const [a, b] = [SecretBytes.random(32, systemRandomSource), SecretBytes.random(32, systemRandomSource)];
    expect(a.byteLength).toBe(32);
    expect(a.equals(b)).toBe(false);
  });
});

describe('after dispose', () => {
  function disposed(): SecretBytes {
    const key = secret();
    key.dispose();
    return key;
  }

  test.each<[string, () => unknown]>([
    ['expose', () => disposed().expose(() => 1)],
    ['toKeyObject', () => disposed().toKeyObject()],
    ['equals', () => disposed().equals(secret())],
    ['equals with a disposed other', () => secret().equals(disposed())],
  ])('%s answers CLOSED', (_, use) => {
    expect(isKeyfoldError(thrownBy(use), 'CLOSED')).toBe(true);
  });

  test('nothing is lent any more, not even zeros', () => {
    let lent = false;
    thrownBy(() => {
      disposed().expose(() => {
        lent = true;
      });
    });
    expect(lent).toBe(false);
  });

  test('disposing again does nothing, and it says that it is disposed', () => {
    const key = secret();
    expect(key.disposed).toBe(false);
    key.dispose();
    key.dispose();
    expect(key.disposed).toBe(true);
    expect(key.byteLength).toBe(32);
    expect(String(key)).toBe(REDACTED);
  });

  test('leaving a using block disposes', () => {
    const memory = patterned(32);
    {
      using key = SecretBytes.adopt(memory);
      expect(key.disposed).toBe(false);
    }
    expect(memory).toEqual(new Uint8Array(32));
  });
});

describe('use', () => {
  test('expose returns what the use returns', () => {
    expect(secret().expose((bytes) => bytes.byteLength)).toBe(32);
  });

  test('equality is of bytes and length', () => {
    const key = secret();
    expect(key.equals(key)).toBe(true);
    expect(key.equals(secret())).toBe(true);
    for (let bit = 0; bit < 256; bit++) {
      expect(key.equals(SecretBytes.adopt(flipBit(patterned(32), bit)))).toBe(false);
    }
    expect(key.equals(SecretBytes.copyOf(patterned(32).subarray(0, 31)))).toBe(false);
  });

  test('a KeyObject holds the same bytes, in memory of its own', () => {
    const key = SecretBytes.adopt(patterned(40).subarray(4, 36));
    const keyObject = key.toKeyObject();
    expect(keyObject.type).toBe('secret');
    expect(keyObject.symmetricKeySize).toBe(32);
    key.dispose();
    expect(Array.from(keyObject.export())).toEqual(Array.from(patterned(40).subarray(4, 36)));
  });
});
