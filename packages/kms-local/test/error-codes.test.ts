import { KeyfoldError } from '@keyfold/core/provider';
import { describe, expect, it } from 'vitest';
import { shellWord, storageError, systemCode } from '../src/error-codes.ts';

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: /secret/path`), { code });
}

describe('an error of the file system', () => {
  it.each([
    ['ENOSPC', 'STORAGE_FULL'],
    ['EDQUOT', 'STORAGE_FULL'],
    ['EACCES', 'STORAGE_DENIED'],
    ['EPERM', 'STORAGE_DENIED'],
    ['EROFS', 'STORAGE_DENIED'],
    ['EEXIST', 'ALREADY_EXISTS'],
    ['ENOENT', 'KEY_NOT_FOUND'],
    ['ENOTDIR', 'CONFIG_INVALID'],
    ['ELOOP', 'CONFIG_INVALID'],
    ['EISDIR', 'CONFIG_INVALID'],
    ['ENXIO', 'CONFIG_INVALID'],
    ['ENAMETOOLONG', 'CONFIG_INVALID'],
    ['ENOTSUP', 'CONFIG_INVALID'],
    ['EOPNOTSUPP', 'CONFIG_INVALID'],
    ['EMLINK', 'CONFIG_INVALID'],
    ['EIO', 'STORAGE_FAILURE'],
    ['EMFILE', 'STORAGE_FAILURE'],
    ['ESTALE', 'STORAGE_FAILURE'],
  ])('%s is %s', (code, expected) => {
    const error = storageError(systemError(code), 'Writing it');
    expect(error.code).toBe(expected);
    expect(error.message).toMatch(/^Writing it failed: .+\.$/);
    expect(error.cause).toEqual({ name: 'Error', code });
  });

  it.each([new Error('x'), 'text', undefined, null, { code: 7 }])('without a code is STORAGE_FAILURE: %o', (thrown) => {
    expect(systemCode(thrown)).toBeUndefined();
    expect(storageError(thrown, 'Writing it').code).toBe('STORAGE_FAILURE');
  });

  it('that is typed already stays as it is', () => {
    const typed = new KeyfoldError('CONFLICT', 'x');
    expect(storageError(typed, 'Writing it')).toBe(typed);
  });
});

it('a path in a suggested command is one word of the shell', () => {
  expect(shellWord("/a b/it's")).toBe("'/a b/it'\\''s'");
});
