import { format, inspect } from 'node:util';
import { describe, expect, test, vi } from 'vitest';
import { ERROR_CODES, KeyfoldError, integrityFailure, isKeyfoldError, throwIfAborted } from '../src/errors.ts';
import { thrownBy } from './support/bytes.ts';

const SECRET = 'hunter2-plaintext-key';

/** Everything a logger, a debugger or a crash report would print of `value`. */
function everyRendering(value: unknown): string {
  return [
    inspect(value, { depth: null, showHidden: true, getters: true }),
    inspect(value, { depth: null, customInspect: false }),
    inspect({ nested: [value] }, { depth: null, showHidden: true }),
    JSON.stringify(value),
    JSON.stringify({ ...(value as object) }),
    format('%s %o %O %j', value, value, value, value),
    String(value),
    (value as Error).stack,
  ].join('\n');
}

/** The shape of a cloud SDK's error: request, headers, response and a chatty message. */
function sdkError(): Error {
  return Object.assign(new Error(`POST failed: {"Plaintext":"${SECRET}"}`, { cause: new Error(SECRET) }), {
    name: 'AccessDeniedException',
    code: 'AccessDenied',
    $fault: 'client',
    request: { body: SECRET, headers: { authorization: `Bearer ${SECRET}` } },
    response: { data: Buffer.from(SECRET) },
    config: { credentials: { secretAccessKey: SECRET } },
    [Symbol('trace')]: SECRET,
  });
}

describe('the codes', () => {
  test('are a list without duplicates, in capitals and underscores', () => {
    expect(new Set(ERROR_CODES).size).toBe(ERROR_CODES.length);
    for (const code of ERROR_CODES) expect(code).toMatch(/^[A-Z]+(?:_[A-Z]+)*$/);
  });

  test.each(ERROR_CODES)('%s is carried by an error and recognised', (code) => {
    const error = new KeyfoldError(code, 'A sentence.');
    expect(error).toBeInstanceOf(Error);
    expect(error.code).toBe(code);
    expect(error.name).toBe('KeyfoldError');
    expect(isKeyfoldError(error)).toBe(true);
    expect(ERROR_CODES.filter((other) => isKeyfoldError(error, other))).toEqual([code]);
  });
});

describe('recognising an error', () => {
  test('works across two copies of the package in one process, where instanceof fails', async () => {
    vi.resetModules();
    const copy = await import('../src/errors.ts');
    expect(copy.KeyfoldError).not.toBe(KeyfoldError);

    const foreign = new copy.KeyfoldError('CONFLICT', 'Another copy.');
    expect(foreign instanceof KeyfoldError).toBe(false);
    expect(isKeyfoldError(foreign)).toBe(true);
    expect(isKeyfoldError(foreign, 'CONFLICT')).toBe(true);
    expect(isKeyfoldError(foreign, 'NOT_FOUND')).toBe(false);
    expect(copy.isKeyfoldError(new KeyfoldError('CLOSED', 'This copy.'), 'CLOSED')).toBe(true);
    expect(new KeyfoldError('KMS_UNAVAILABLE', 'Outer.', { cause: foreign }).cause).toBe(foreign);
  });

  test('is not fooled by a name and a code, nor by anything that is no object', () => {
    const lookalikes = [
      Object.assign(new Error('x'), { name: 'KeyfoldError', code: 'CONFLICT' }),
      { name: 'KeyfoldError', code: 'CONFLICT' },
      new Error('x'),
      null,
      undefined,
      'CONFLICT',
      42,
      Symbol.for('keyfold.error'),
      () => 'CONFLICT',
    ];
    for (const value of lookalikes) expect(isKeyfoldError(value)).toBe(false);
  });

  test('does not throw on objects that throw when looked at', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(isKeyfoldError(proxy)).toBe(false);
    expect(isKeyfoldError(proxy, 'CONFLICT')).toBe(false);
  });

  test('the brand stays out of sight: it is no enumerable property', () => {
    expect(Object.getOwnPropertySymbols(Object.assign({}, new KeyfoldError('CONFLICT', 'x')))).toEqual([]);
  });
});

describe('the cause', () => {
  test('of an SDK error is reduced to its name and code', () => {
    const error = new KeyfoldError('ACCESS_DENIED', 'The KMS refused.', { cause: sdkError() });
    expect(error.cause).toEqual({ name: 'AccessDeniedException', code: 'AccessDenied' });
  });

  test('of an SDK error leaves nothing that it carried in any rendering', () => {
    expect(everyRendering(sdkError())).toContain(SECRET);
    const error = new KeyfoldError('ACCESS_DENIED', 'The KMS refused.', { cause: sdkError() });
    expect(everyRendering(error)).not.toContain(SECRET);
    expect(everyRendering(error)).not.toContain(Buffer.from(SECRET).toString('hex'));
    expect(everyRendering(new KeyfoldError('KMS_UNAVAILABLE', 'Outer.', { cause: error }))).not.toContain(SECRET);
  });

  test('that is a Keyfold error is kept as it is', () => {
    const inner = new KeyfoldError('KMS_THROTTLED', 'Slow down.', { cause: sdkError() });
    const outer = new KeyfoldError('KMS_UNAVAILABLE', 'No KMS answered.', { cause: inner });
    expect(outer.cause).toBe(inner);
    expect(everyRendering(outer)).toContain('Slow down.');
    expect(everyRendering(outer)).not.toContain(SECRET);
  });

  test('keeps numeric codes', () => {
    expect(new KeyfoldError('STORAGE_FAILURE', 'x', { cause: { name: 'GrpcError', code: 7 } }).cause).toEqual({
      name: 'GrpcError',
      code: 7,
    });
  });

  test.each([
    { name: `key=${SECRET}`, code: SECRET + ' ' },
    { name: 'x'.repeat(65), code: 'c'.repeat(65) },
    { name: { toString: () => SECRET }, code: { toString: () => SECRET } },
    { name: 'Bad\nName', code: 'E\n' },
    { name: '', code: '' },
    { name: '1Name', code: 1.5 },
    { name: [SECRET], code: NaN },
    { name: Symbol(SECRET), code: Infinity },
    { name: 5, code: true },
  ])('drops a name or code that is no identifier: %o', (cause) => {
    expect(new KeyfoldError('STORAGE_FAILURE', 'x', { cause }).cause).toEqual({ name: 'Error' });
  });

  test.each([
    [null, 'null'],
    [SECRET, 'string'],
    [5, 'number'],
    [10n, 'bigint'],
    [false, 'boolean'],
    [Symbol(SECRET), 'symbol'],
    [() => SECRET, 'function'],
  ])('that is no object (%o) leaves its type only', (cause, name) => {
    const error = new KeyfoldError('STORAGE_FAILURE', 'x', { cause });
    expect(error.cause).toEqual({ name });
    expect(everyRendering(error)).not.toContain(SECRET);
  });

  test('that is absent is absent', () => {
    for (const options of [undefined, {}, { cause: undefined }]) {
      expect('cause' in new KeyfoldError('CONFLICT', 'x', options)).toBe(false);
    }
  });

  test('that throws when looked at does not keep the error from being built', () => {
    const throwing = {
      get name(): string {
        throw new Error(SECRET);
      },
      get code(): string {
        throw new Error(SECRET);
      },
    };
    const trap = (): never => {
      throw new Error(SECRET);
    };
    const trapped = new Proxy({}, { get: trap, has: trap, getPrototypeOf: trap, ownKeys: trap });
    const { proxy: revoked, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const cause of [throwing, trapped, revoked, Object.create(null) as object, Object.freeze([SECRET])]) {
      const error = new KeyfoldError('STORAGE_FAILURE', 'x', { cause });
      expect(error.cause).toEqual({ name: 'Error' });
      expect(everyRendering(error)).not.toContain(SECRET);
    }
  });

  test('is read once: a code that changes between two looks is not trusted', () => {
    let looks = 0;
    const cause = {
      name: 'Error',
      get code(): unknown {
        looks++;
        return looks === 1 ? 'EIO' : SECRET + '!';
      },
    };
    expect(new KeyfoldError('STORAGE_FAILURE', 'x', { cause }).cause).toEqual({ name: 'Error', code: 'EIO' });
    expect(looks).toBe(1);
  });

  test('that contains itself does not hang', () => {
    const cause: { name: string; cause?: unknown } = { name: 'Loop' };
    cause.cause = cause;
    expect(new KeyfoldError('STORAGE_FAILURE', 'x', { cause }).cause).toEqual({ name: 'Loop' });
  });
});

describe('what a logger prints', () => {
  test('JSON is name, code and message, and no stack or cause', () => {
    const error = new KeyfoldError('CONFLICT', 'Another writer came first.', { cause: sdkError() });
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      name: 'KeyfoldError',
      code: 'CONFLICT',
      message: 'Another writer came first.',
    });
  });
});

describe('the generic integrity failure', () => {
  test('has one code, names what was opened, and says nothing of the check that failed', () => {
    const error = integrityFailure('The checkpoint');
    expect(error.code).toBe('INTEGRITY_FAILURE');
    expect(error.message).toMatch(/^The checkpoint does not open/);
    expect(error.cause).toBeUndefined();
    expect(error.message).not.toMatch(/\b(?:tag|mac|padding|commitment|version|suite|header)\b/i);
  });
});

describe('aborting', () => {
  test('throws ABORTED once the signal has fired, and not before', () => {
    const controller = new AbortController();
    throwIfAborted(undefined);
    throwIfAborted(controller.signal);
    controller.abort(new Error(SECRET));
    const error = thrownBy(() => {
      throwIfAborted(controller.signal);
    });
    expect(isKeyfoldError(error, 'ABORTED')).toBe(true);
    expect(everyRendering(error)).not.toContain(SECRET);
  });
});
