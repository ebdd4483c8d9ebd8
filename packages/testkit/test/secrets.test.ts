import { inspect } from 'node:util';
import { KeyfoldError } from '@keyfold/core/provider';
import { describe, expect, it } from 'vitest';
import { findSecret } from '../src/conformance/secrets.ts';

/** All kinds of bytes, so that every spelling has characters of its own. */
const KEY = Uint8Array.from({ length: 32 }, (_, index) => (index * 37 + 250) % 256);
const OTHER = KEY.map((byte) => byte ^ 0x55);
const key = Buffer.from(KEY);

class Hidden {
  readonly #kept = KEY;

  get kept(): Uint8Array {
    return this.#kept;
  }
}

class Inherits extends Hidden {}

class Shows {
  [inspect.custom](): string {
    return key.toString('base64');
  }
}

class Throws {
  get bad(): never {
    throw new Error('not to be looked at');
  }
}

function error(extra: object = {}): Error {
  return Object.assign(new KeyfoldError('INVALID_CIPHERTEXT', 'The wrap does not open.'), extra);
}

const circle: { self?: unknown; key?: Uint8Array } = {};
circle.self = circle;

const SHOWN: readonly (readonly [string, unknown])[] = [
  ['hexadecimal in a message', new Error(`got ${key.toString('hex')}`)],
  ['capital hexadecimal', new Error(key.toString('hex').toUpperCase())],
  ['hexadecimal with spaces', new Error(key.toString('hex').replace(/../g, '$& '))],
  ['base64', error({ body: key.toString('base64') })],
  ['base64 of more, one byte later', error({ body: Buffer.concat([Buffer.of(1), key]).toString('base64') })],
  ['base64 of more, two bytes later', error({ body: Buffer.concat([Buffer.of(1, 2), key, key]).toString('base64') })],
  ['base64url', error({ body: key.toString('base64url') })],
  ['a list of numbers', error({ list: [...KEY] })],
  ['a list of numbers in a text', error({ text: inspect([...KEY], { maxArrayLength: null }) })],
  ['the JSON of a Uint8Array', error({ text: JSON.stringify(KEY) })],
  ['the JSON of a Buffer', error({ text: JSON.stringify(key) })],
  ['what inspect() makes of a Buffer', error({ text: inspect(key) })],
  ['Latin-1', error({ text: key.toString('latin1') })],
  ['a Uint8Array', error({ bytes: KEY })],
  ['an ArrayBuffer', error({ bytes: KEY.buffer })],
  ['a DataView', error({ bytes: new DataView(KEY.buffer) })],
  ['a part of another array', error({ bytes: Uint8Array.from(Buffer.concat([new Uint8Array(9), key])) })],
  ['eight bytes', error({ bytes: KEY.slice(11, 19) })],
  ['a cause of a cause', new Error('outer', { cause: new Error('inner', { cause: { body: KEY } }) })],
  ['an error of several', new AggregateError([new Error(key.toString('hex'))], 'several')],
  ['a map', error({ headers: new Map([['key', key.toString('hex')]]) })],
  ['a key of a map', error({ headers: new Map([[key.toString('hex'), 1]]) })],
  ['a set', error({ seen: new Set([KEY]) })],
  ['a symbol', error({ [Symbol('s')]: KEY })],
  ['the name of a property', error({ [key.toString('hex')]: true })],
  ['the name of a symbol', error({ [Symbol(key.toString('hex'))]: true })],
  ['a property that is not enumerable', Object.defineProperty(error(), 'kept', { value: KEY })],
  ['a getter of its class', error({ from: new Inherits() })],
  ['what it tells inspect()', error({ from: new Shows() })],
  ['its JSON alone', error({ toJSON: () => ({ key: key.toString('hex') }) })],
  ['its stack', Object.assign(error(), { stack: `Error\n at ${key.toString('base64')}` })],
  ['a property of a function', error({ retry: Object.assign(() => undefined, { key: KEY }) })],
  ['behind what cannot be looked at', error({ first: new Throws(), second: KEY })],
  ['no error at all', key.toString('hex')],
  ['an object that goes in circles', Object.assign(circle, { key: KEY })],
];

describe('findSecret()', () => {
  it.each(SHOWN)('finds a key shown as %s', (_, value) => {
    expect(findSecret(value, [OTHER, KEY])).toBeTypeOf('string');
  });

  it.each(SHOWN)('does not take another key for it (%s)', (_, value) => {
    expect(findSecret(value, [OTHER])).toBeUndefined();
  });

  it('finds a password whole, encoded, and not when it is not there', () => {
    const secret = 's3cr3t';
    expect(findSecret(error({ auth: `Basic ${Buffer.from(`user:${secret}`).toString('base64')}` }), [secret])).toBeTypeOf('string');
    expect(findSecret(new Error(`with ${secret}`), [secret])).toBeTypeOf('string');
    expect(findSecret(new Error('with nothing'), [secret])).toBeUndefined();
  });

  it('says where', () => {
    expect(findSecret(Object.defineProperty(error(), 'kept', { value: { deep: KEY } }), [KEY])).toBe('error.kept.deep');
    expect(findSecret(new Error(key.toString('hex')), [KEY])).toBe('error.stack');
    expect(findSecret(error({ from: new Inherits() }), [KEY])).toBe('error.from.kept');
    expect(findSecret({ [inspect.custom]: () => key.toString('base64') }, [KEY])).toBe('inspect()');
  });

  it('leaves alone what has nothing to show', () => {
    for (const value of [undefined, null, 0, 'a text', error(), Object.create(null), new Proxy({}, { ownKeys: () => { throw new Error('no'); } })]) {
      expect(findSecret(value, [KEY])).toBeUndefined();
    }
  });
});
