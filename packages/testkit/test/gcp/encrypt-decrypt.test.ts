import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checksum, clientOf, encrypted, ONCE, refused, startServer, type Kms } from '../support/gcp.ts';
import type { CreateCryptoKeyOptions, GcpKmsServer } from '../../src/gcp.ts';

const AAD = Buffer.from('tenant=acme');

async function scene(options: CreateCryptoKeyOptions = {}): Promise<{ server: GcpKmsServer; kms: Kms; name: string }> {
  const server = await startServer({ generationMs: 0 });
  return { server, kms: await clientOf(server), name: server.createCryptoKey(options).name };
}

describe('Encrypt and Decrypt', () => {
  it('give the bytes back, with checksums both ways and the version that was used', async () => {
    const { kms, name, server } = await scene();
    const plaintext = randomBytes(32);
    const [made] = await kms.encrypt({
      name, plaintext, additionalAuthenticatedData: AAD, plaintextCrc32c: checksum(plaintext), additionalAuthenticatedDataCrc32c: checksum(AAD),
    }, ONCE);
    expect(made).toMatchObject({ name: `${name}/cryptoKeyVersions/1`, verifiedPlaintextCrc32c: true, verifiedAdditionalAuthenticatedDataCrc32c: true, protectionLevel: 'SOFTWARE' });
    const ciphertext = made.ciphertext as Buffer;
    expect(Number(made.ciphertextCrc32c?.value)).toBe(checksum(ciphertext).value);
    const [opened] = await kms.decrypt({ name, ciphertext, additionalAuthenticatedData: AAD, ciphertextCrc32c: checksum(ciphertext) }, ONCE);
    expect(opened.plaintext).toEqual(plaintext);
    expect(Number(opened.plaintextCrc32c?.value)).toBe(checksum(plaintext).value);
    expect(opened.usedPrimary).toBe(true);
    expect(server.requests.list().map(({ operation, outcome, keys, region }) => ({ operation, outcome, keys, region }))).toEqual([
      { operation: 'Encrypt', outcome: 'ok', keys: [name], region: 'europe-west3' },
      { operation: 'Decrypt', outcome: 'ok', keys: [name], region: 'europe-west3' },
    ]);
  });

  it('drop a misspelt field unseen, as Cloud KMS does: nothing is encrypted, and nothing verified', async () => {
    const { kms, name } = await scene();
    const misspelt = { name, plainText: randomBytes(32), plaintextCRC32C: { value: 1 } };
    const [made] = await kms.encrypt(misspelt, ONCE);
    expect(made.verifiedPlaintextCrc32c).toBe(false);
    const [opened] = await kms.decrypt({ name, ciphertext: (await encrypted(kms, misspelt)).ciphertext }, ONCE);
    expect(opened.plaintext).toHaveLength(0);
  });

  it.each(['plaintextCrc32c', 'additionalAuthenticatedDataCrc32c'])('refuse a wrong %s', async (field) => {
    const { kms, name } = await scene();
    const request = { name, plaintext: randomBytes(32), additionalAuthenticatedData: AAD, [field]: { value: 1 } };
    await refused(kms.encrypt(request, ONCE), 3, /checksum/);
  });

  it.each(['ciphertextCrc32c', 'additionalAuthenticatedDataCrc32c'])('refuse to decrypt with a wrong %s', async (field) => {
    const { kms, name } = await scene();
    const { ciphertext } = await encrypted(kms, { name, plaintext: randomBytes(32), additionalAuthenticatedData: AAD });
    await refused(kms.decrypt({ name, ciphertext, additionalAuthenticatedData: AAD, [field]: { value: 1 } }, ONCE), 3, /checksum/);
  });

  it('bind the key, the caller\'s data and every byte', async () => {
    const { kms, name, server } = await scene();
    const other = server.createCryptoKey().name;
    const { ciphertext } = await encrypted(kms, { name, plaintext: randomBytes(32), additionalAuthenticatedData: AAD });
    const damaged = Buffer.from(ciphertext);
    damaged[damaged.length - 1] = (damaged[damaged.length - 1] ?? 0) ^ 1;
    const unknownVersion = Buffer.from(ciphertext);
    unknownVersion.writeUInt32BE(9, 4);
    for (const request of [
      { name: other, ciphertext, additionalAuthenticatedData: AAD },
      { name, ciphertext },
      { name, ciphertext: damaged, additionalAuthenticatedData: AAD },
      { name, ciphertext: unknownVersion, additionalAuthenticatedData: AAD },
      { name, ciphertext: Buffer.from('short'), additionalAuthenticatedData: AAD },
      { name },
    ]) {
      await refused(kms.decrypt(request, ONCE), 3, /^Decryption failed: verify that 'name' refers to the correct CryptoKey\.$/);
    }
  });

  it('take a version to encrypt and none to decrypt', async () => {
    const { kms, name } = await scene();
    await kms.createCryptoKeyVersion({ parent: name }, ONCE);
    const version = `${name}/cryptoKeyVersions/2`;
    const made = await encrypted(kms, { name: version, plaintext: Buffer.from('x') });
    expect(made.name).toBe(version);
    const [opened] = await kms.decrypt({ name, ciphertext: made.ciphertext }, ONCE);
    expect(opened.usedPrimary).toBe(false);
    await refused(kms.decrypt({ name: version, ciphertext: made.ciphertext }, ONCE), 3);
  });

  it.each([['SOFTWARE', 65_536, 65_536, 0], ['SOFTWARE', 65_537, 0, 3], ['SOFTWARE', 1, 65_537, 3], ['HSM', 4_096, 4_096, 0], ['HSM', 4_096, 4_097, 3]] as const)(
    'limit what a key of %s takes: %i bytes with %i of data gives %i',
    async (protectionLevel, bytes, aad, code) => {
      const { kms, name } = await scene({ protectionLevel });
      const call = kms.encrypt({ name, plaintext: Buffer.alloc(bytes), additionalAuthenticatedData: Buffer.alloc(aad) }, ONCE);
      if (code === 0) expect((await call)[0].protectionLevel).toBe(protectionLevel);
      else await refused(call, code);
    },
  );

  it('refuse keys of another purpose, keys that there are not, and names that are none', async () => {
    const { kms, name, server } = await scene();
    const signing = server.createCryptoKey({ purpose: 'ASYMMETRIC_SIGN' }).name;
    const plaintext = Buffer.from('x');
    await refused(kms.encrypt({ name: signing, plaintext }, ONCE), 3, /purpose/);
    await refused(kms.decrypt({ name: signing, ciphertext: plaintext }, ONCE), 3, /purpose/);
    await refused(kms.encrypt({ name: `${name}x`, plaintext }, ONCE), 5);
    await refused(kms.encrypt({ name: `${name}/cryptoKeyVersions/7`, plaintext }, ONCE), 5);
    await refused(kms.encrypt({ name: 'key', plaintext }, ONCE), 3);
    await refused(kms.encrypt({ plaintext }, ONCE), 3, /name/);
  });
});
