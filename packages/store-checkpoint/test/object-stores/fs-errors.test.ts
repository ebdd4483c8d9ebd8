import { KeyfoldError } from '@keyfold/core/provider';
import { describe, expect, it } from 'vitest';
import { attempt, storageError, unless } from '../../src/object-stores/file-system/fs-errors.ts';

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: a message with /a/path`), { code });
}

describe('errors of the file system', () => {
  it.each([
    ['ENOSPC', 'STORAGE_FULL'],
    ['EDQUOT', 'STORAGE_FULL'],
    ['EACCES', 'STORAGE_DENIED'],
    ['EPERM', 'STORAGE_DENIED'],
    ['EROFS', 'STORAGE_DENIED'],
    ['ENAMETOOLONG', 'INVALID_ARGUMENT'],
    ['ENOTDIR', 'STORAGE_FAILURE'],
    ['ELOOP', 'STORAGE_FAILURE'],
    ['EISDIR', 'STORAGE_FAILURE'],
    ['ENOENT', 'STORAGE_FAILURE'],
    ['EMFILE', 'STORAGE_FAILURE'],
    ['ENFILE', 'STORAGE_FAILURE'],
    ['EIO', 'STORAGE_FAILURE'],
    ['ESTALE', 'STORAGE_FAILURE'],
  ])('%s is %s', (code, expected) => {
    const error = storageError(systemError(code), 'write object "x"', '/somewhere/x');
    expect(error.code).toBe(expected);
    expect(error.message).toMatch(/^Could not write object "x" \(\/somewhere\/x\): .+\.$/);
    expect(error.cause).toEqual({ name: 'Error', code });
  });

  it.each([undefined, null, 'text', new Error('no code'), { code: 7 }])('%s is a failure of the storage', (thrown) => {
    expect(storageError(thrown, 'do it', '/x')).toMatchObject({ code: 'STORAGE_FAILURE' });
  });

  it('leaves our own errors as they are', () => {
    const own = new KeyfoldError('CONFLICT', 'mine');
    expect(() => attempt('do it', '/x', () => {
      throw own;
    })).toThrow(own);
  });

  it('tells the expected answers from the others', () => {
    const enoent = (): void => {
      throw systemError('ENOENT');
    };
    expect(unless(['ENOENT'], 'do it', '/x', enoent)).toBe(false);
    expect(() => unless(['EEXIST'], 'do it', '/x', enoent)).toThrow('Could not do it');
    expect(() => unless([], 'do it', '/x', () => {
      throw new Error('no code');
    })).toThrow('an unknown error');
    expect(unless([], 'do it', '/x', () => undefined)).toBe(true);
  });
});
