import { copyFileSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { LocalKms, type LocalKmsClient } from '../src/index.ts';
import { context, place, refusal } from './support/keyring.ts';

async function two(): Promise<{ a: LocalKmsClient; b: LocalKmsClient; path: string; key: Uint8Array }> {
  const { path, key } = place();
  const a = await LocalKms.create(path, { key });
  return { a, b: await LocalKms.open(path, { key }), path, key };
}

describe('what one client changes, another sees at its next call', () => {
  it('a rotation', async () => {
    const { a, b } = await two();
    await a.rotateKey();
    expect((await b.generateDataKey({ context })).wrapped.keyVersion).toBe('2');
    await b.rotateKey();
    expect(await a.currentKeyVersion()).toMatchObject({ id: '3' });
    expect(a.generation).toBe(3);
  });

  it('a wrap under a version that it has not seen', async () => {
    const { a, b } = await two();
    await a.rotateKey();
    const { plaintext, wrapped } = await a.generateDataKey({ context });
    expect(await b.decrypt(wrapped, { context })).toEqual(plaintext);
  });

  it('a disabled and a destroyed version', async () => {
    const { a, b } = await two();
    const { wrapped } = await b.generateDataKey({ context });
    await a.rotateKey();
    await a.disableKeyVersion('1');
    await refusal('KEY_DISABLED', b.decrypt(wrapped, { context }));
    await a.destroyKeyVersion('1');
    await refusal('KEY_NOT_FOUND', b.decrypt(wrapped, { context }));
  });

  it('during many calls at once, of which none fails', async () => {
    const { a, b } = await two();
    const { plaintext, wrapped } = await a.generateDataKey({ context });
    const calls = Array.from({ length: 200 }, async (_, index) => {
      if (index % 50 === 0) await a.rotateKey();
      expect(await b.decrypt(wrapped, { context })).toEqual(plaintext);
      return (await b.generateDataKey({ context })).wrapped;
    });
    for (const made of await Promise.all(calls)) expect(await a.decrypt(made, { context })).toHaveLength(32);
    expect(await b.currentKeyVersion()).toMatchObject({ id: '5' });
  });
});

describe('a keyring that was replaced', () => {
  it('by an older copy is accepted by a new client, and refused with minimumGeneration', async () => {
    const { a, path, key } = await two();
    cpSync(path, `${path}-old`);
    await a.rotateKey();
    const { generation } = a;
    // The intruder takes care of the numbered files, too.
    for (const file of [path, `${path}.1`, `${path}.2`]) rmSync(file);
    copyFileSync(`${path}-old`, path);
    expect((await LocalKms.open(path, { key })).generation).toBe(1);
    const error = await refusal('INTEGRITY_FAILURE', LocalKms.open(path, { key, minimumGeneration: generation }));
    expect(error.message).toContain('at least 2');
    await LocalKms.open(path, { key, minimumGeneration: 1 });
  });

  it('by an older copy is refused by a client that knows the newer one', async () => {
    const { a, b, path } = await two();
    cpSync(path, `${path}-old`);
    await a.rotateKey();
    await b.currentKeyVersion();
    for (const file of [path, `${path}.1`, `${path}.2`]) rmSync(file);
    copyFileSync(`${path}-old`, path);
    await refusal('INTEGRITY_FAILURE', b.generateDataKey({ context }));
    await refusal('INTEGRITY_FAILURE', a.rotateKey());
  });

  it('by another keyring under the same key is refused by a client that is open', async () => {
    const { a, path, key } = await two();
    await LocalKms.create(`${path}-b`, { key });
    writeFileSync(path, readFileSync(`${path}-b`));
    const error = await refusal('AUTHENTICATION_FAILED', a.generateDataKey({ context }));
    expect(error.message).toContain('Another keyring');
  });
});
