import { readFileSync, writeFileSync } from 'node:fs';
import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { LocalKms } from '../src/index.ts';
import { openKeyring, parseKeyring } from '../src/keyring-format.ts';
import { collect, place, refusal } from './support/keyring.ts';

const specification = readFileSync(new URL('../../../docs/spec/local-keyring.md', import.meta.url), 'utf8');
const examples = specification.slice(specification.indexOf('\n## 11. ')).matchAll(/```\n([^`]+)```/g);
const [withKey = '', kek = '', wrapped = '', withPassword = ''] = [...examples].map(([, block]) => block);

const key = Uint8Array.from({ length: 32 }, (_, index) => index);

describe('the examples of the specification', () => {
  it('open with the key that it gives, to the version that it gives', async () => {
    const { path } = place();
    writeFileSync(path, withKey, { mode: 0o600 });
    const client = await LocalKms.open(path, { key });
    expect(client.keyId).toBe('example-1');
    expect((await collect(client.listKeyVersions())).map(({ id, state }) => `${id} ${state}`)).toEqual(['2 enabled', '1 destroyed']);
    const keks = openKeyring(parseKeyring(readFileSync(path)), createSecretKey(key));
    expect(keks.versions[1]?.key?.expose((bytes) => Buffer.from(bytes).toString('hex'))).toBe(kek.trim());
  });

  it('unwrap under their context and no other', async () => {
    const { path } = place();
    writeFileSync(path, withKey, { mode: 0o600 });
    const client = await LocalKms.open(path, { key });
    const ciphertext = Buffer.from(wrapped.replaceAll('\n', ''), 'hex');
    const wrap = { provider: 'local', keyId: 'example-1', keyVersion: '2', algorithm: 'keyfold-wrap-v1', ciphertext };
    const plaintext = await client.decrypt(wrap, { context: { purpose: 'wrap', tenant: 'acme' } });
    expect(Array.from(plaintext)).toEqual(Array.from({ length: 32 }, (_, index) => 255 - index));
    await refusal('INVALID_CIPHERTEXT', client.decrypt(wrap, { context: { purpose: 'wrap', tenant: 'acmE' } }));
  });

  it('open with the password that it gives, in either normalisation', async () => {
    const { path } = place();
    writeFileSync(path, withPassword, { mode: 0o600 });
    for (const password of ['\u00c5', 'A\u030a']) expect((await LocalKms.open(path, { password })).keyId).toBe('example-2');
    await refusal('AUTHENTICATION_FAILED', LocalKms.open(path, { password: 'A' }));
  });
});
