import { resolve } from 'node:path';
import { KeyfoldError, decodeUtf8, isKeyfoldError } from '@keyfold/core/provider';
import { readPrivateFile } from '../private-file.ts';
import type { Settings } from './options.ts';

const MAX_PIN_BYTES = 1_024;

/**
 * The PIN, asked for whenever the user has to be logged in. The binding takes it as a string, which cannot be
 * overwritten; so it is read late, and not kept.
 * @throws KeyfoldError CONFIG_INVALID (none given, or no usable file), AUTHENTICATION_FAILED (the function failed), STORAGE_*
 */
export async function readPin({ pin, pinFile }: Pick<Settings, 'pin' | 'pinFile'>): Promise<string> {
  const text = pinFile === undefined ? await ask(pin) : await readPinFile(pinFile);
  if (typeof text !== 'string' || text === '' || Buffer.byteLength(text) > MAX_PIN_BYTES) {
    throw new KeyfoldError('CONFIG_INVALID', `A PIN must be a string of 1 to ${MAX_PIN_BYTES} bytes.`);
  }
  return text;
}

async function ask(pin: Settings['pin']): Promise<unknown> {
  if (pin === undefined) {
    throw new KeyfoldError('CONFIG_INVALID', 'This token wants the user to log in. Pass pinFile, or pin as a function.');
  }
  if (typeof pin === 'string') return pin;
  try {
    return await pin();
  } catch (error) {
    if (isKeyfoldError(error)) throw error;
    throw new KeyfoldError('AUTHENTICATION_FAILED', 'The function that gives the PIN failed.', { cause: error });
  }
}

async function readPinFile(path: string): Promise<string | undefined> {
  const file = await readPrivateFile(resolve(path), 'The PIN file', MAX_PIN_BYTES + 2);
  if (file === undefined) throw new KeyfoldError('CONFIG_INVALID', `There is no PIN file ${path}.`);
  try {
    return decodeUtf8(file.bytes)?.replace(/\r?\n$/, '');
  } finally {
    file.bytes.fill(0);
  }
}
