import { createSecretKey, type KeyObject } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { KeyfoldError, isKeyfoldError, systemRandomSource } from '@keyfold/core/provider';
import { readPrivateFile, syncDirectory, writePrivateFile } from './private-file.ts';

const KEY_BYTES = 32;

/**
 * Makes a key file: 32 random bytes, mode 0600. Never replaces a file.
 * @throws KeyfoldError ALREADY_EXISTS, KEY_NOT_FOUND (no such directory), STORAGE_FULL, STORAGE_DENIED, STORAGE_FAILURE
 */
export async function createLocalKeyFile(path: string): Promise<void> {
  const key = systemRandomSource.bytes(KEY_BYTES);
  try {
    await writePrivateFile(resolve(path), key);
    await syncDirectory(dirname(resolve(path)));
  } finally {
    key.fill(0);
  }
}

/** @throws KeyfoldError KEY_NOT_FOUND, CONFIG_INVALID (length, owner, mode, symbolic link), STORAGE_* */
export async function readKeyFile(path: string): Promise<KeyObject> {
  const file = await readPrivateFile(resolve(path), 'The key file', KEY_BYTES).catch((error: unknown) => {
    throw isKeyfoldError(error, 'INTEGRITY_FAILURE') ? wrongLength(path) : error;
  });
  if (file === undefined) {
    throw new KeyfoldError('KEY_NOT_FOUND', `There is no key file ${path}. Make one with createLocalKeyFile().`);
  }
  try {
    if (file.bytes.byteLength !== KEY_BYTES) throw wrongLength(path);
    return createSecretKey(file.bytes);
  } finally {
    file.bytes.fill(0);
  }
}

function wrongLength(path: string): KeyfoldError {
  return new KeyfoldError('CONFIG_INVALID', `The key file ${path} does not have exactly ${KEY_BYTES} bytes.`);
}
