import { openKms } from '@keyfold/core';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import * as entry from '../src/index.ts';
import { LocalKms, createLocalKeyFile, openKmsUrl } from '../src/index.ts';
import { context, place, refusal, tempDirectory } from './support/keyring.ts';

describe('openKmsUrl()', () => {
  it('opens a keyring that a key file unlocks, also through core', async () => {
    const { directory, path } = place();
    const keyFile = join(directory, 'key file');
    await createLocalKeyFile(keyFile);
    const made = await LocalKms.create(path, { keyFile });
    const { plaintext, wrapped } = await made.generateDataKey({ context });
    const url = `local://${path}?keyFile=${encodeURIComponent(keyFile)}`;
    const opened = await openKmsUrl(url);
    expect(await opened.decrypt(wrapped, { context })).toEqual(plaintext);
    const throughCore = await openKms(url, { load: () => Promise.resolve(entry) });
    expect(await throughCore.decrypt(wrapped, { context })).toEqual(plaintext);
  });

  it('takes keys, passwords and whatever else open() takes as options', async () => {
    const { path, key } = place();
    const made = await LocalKms.create(path, { key });
    await made.rotateKey();
    const kms = await openKmsUrl(`local://${path}`, { key, minimumGeneration: 2, clock: { now: () => 7_000 } });
    expect(await kms.rotateKey()).toMatchObject({ createdAt: 7_000 });
    await refusal('INTEGRITY_FAILURE', openKmsUrl(`local://${path}`, { key, minimumGeneration: 4 }));
    await refusal('CONFIG_INVALID', openKmsUrl(`local://${path}`, { password: 'hunter2' }));
    await refusal('INVALID_ARGUMENT', openKmsUrl(`local://${path}`));
  });

  it('decodes its path', async () => {
    const directory = join(tempDirectory(), 'a b?#%é');
    mkdirSync(directory, { mode: 0o700 });
    const key = new Uint8Array(32);
    await LocalKms.create(join(directory, 'keyring.kf'), { key });
    const kms = await openKmsUrl(`local://${join(directory, 'keyring.kf').split('/').map(encodeURIComponent).join('/')}`, { key });
    expect(await kms.testConnection()).toMatchObject({ roundTrip: true });
  });

  it.each([
    ['a relative path', 'local:hunter2.kf'],
    ['a path as its host', 'local://hunter2/keyring.kf'],
    ['one slash', 'local:/hunter2/keyring.kf'],
    ['no path', 'local:///'.slice(0, -1)],
    ['a user', 'local://hunter2@/keyring.kf'],
    ['a fragment', 'local:///keyring.kf#hunter2'],
    ['a space', 'local:///hunter2 keyring.kf'],
    ['another scheme', 'file:///hunter2/keyring.kf'],
    ['a path that is not percent-encoded UTF-8', 'local:///hunter2%ff'],
    ['a password in its query', 'local:///keyring.kf?password=hunter2'],
    ['an unknown member', 'local:///keyring.kf?keyfile=/hunter2'],
    ['a member without a name', 'local:///keyring.kf?hunter2'],
    ['two key files', 'local:///keyring.kf?keyFile=/hunter2&keyFile=/hunter2'],
    ['a relative key file', 'local:///keyring.kf?keyFile=hunter2'],
    ['an empty key file', 'local:///keyring.kf?keyFile='],
  ])('refuses %s, and shows nothing of it', async (_, url) => {
    const error = await refusal('CONFIG_INVALID', openKmsUrl(url, {}));
    expect(error.message).toMatch(/^This URL of a local keyring is not usable: it.*\.$/);
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain('hunter2');
  });

  it('refuses options that it does not know, and two ways to unlock', async () => {
    await refusal('CONFIG_INVALID', openKmsUrl('local:///keyring.kf', { paswort: 'hunter2' }));
    for (const option of ['key', 'keyFile', 'password']) {
      const error = await refusal('CONFIG_INVALID', openKmsUrl('local:///keyring.kf?keyFile=/key', { [option]: 'hunter2' }));
      expect(error.message).toContain(`the option ${option};`);
      expect(error.message).not.toContain('hunter2');
    }
  });

  it('opens nothing beside the keyring that is named', async () => {
    const { path, key, directory } = place();
    writeFileSync(join(directory, 'other'), 'no keyring');
    await LocalKms.create(path, { key });
    await refusal('KEY_NOT_FOUND', openKmsUrl(`local://${directory}/missing.kf`, { key }));
  });
});
