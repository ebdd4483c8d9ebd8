import { DecryptCommand, EncryptCommand, GenerateDataKeyCommand, ReEncryptCommand } from '@aws-sdk/client-kms';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decryptBlob, encryptBlob, parseHeader } from '../../src/aws/keys/ciphertext.ts';
import { drawKeyMaterial } from '../../src/aws/keys/key-material.ts';
import { clientOf, refusal, startServer } from '../support/aws.ts';

describe('a ciphertext', () => {
  const keyId = '11111111-2222-4333-8444-555555555555';
  const context = fc.dictionary(fc.string(), fc.string(), { maxKeys: 4 });

  it('opens under its own context, in any order of the pairs, and under no other', () => {
    const material = drawKeyMaterial();
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 100 }), context, context, (plaintext, own, other) => {
        const blob = encryptBlob(keyId, material, plaintext, own);
        const reversed = Object.fromEntries(Object.entries(own).reverse());
        expect(decryptBlob(material, blob, reversed)).toEqual(plaintext);
        const same = JSON.stringify(Object.entries(own).sort()) === JSON.stringify(Object.entries(other).sort());
        if (!same) expect(() => decryptBlob(material, blob, other)).toThrow();
      }),
    );
  });

  it('without a context is one with an empty context', () => {
    const material = drawKeyMaterial();
    expect(decryptBlob(material, encryptBlob(keyId, material, Buffer.from('a'), undefined), {})).toEqual(new Uint8Array(Buffer.from('a')));
  });

  it('does not open after a change of any byte, those that name key and material included', () => {
    const material = drawKeyMaterial();
    const blob = encryptBlob(keyId, material, Buffer.from('abc'), undefined);
    for (let index = 0; index < blob.length; index++) {
      const altered = Uint8Array.from(blob);
      altered[index] = (altered[index] ?? 0) ^ 1;
      expect(() => decryptBlob(material, altered, undefined)).toThrow();
    }
  });

  it('cut at any length is refused, never misread', () => {
    const material = drawKeyMaterial();
    const blob = encryptBlob(keyId, material, Buffer.from('abc'), undefined);
    for (let length = 0; length < blob.length; length++) {
      expect(() => decryptBlob(material, blob.subarray(0, length), undefined)).toThrow();
    }
    expect(parseHeader(blob)).toMatchObject({ keyId, materialId: material.id });
  });
});

describe('the limits of KMS', () => {
  it('are 4,096 bytes of plaintext and 6,144 of ciphertext', async () => {
    const server = await startServer();
    const client = clientOf(server);
    const { arn: KeyId } = server.createKey();
    const encrypt = (length: number) => client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.alloc(length, 1) }));
    const { CiphertextBlob } = await encrypt(4096);
    expect((await client.send(new DecryptCommand({ CiphertextBlob }))).Plaintext).toHaveLength(4096);
    expect((await refusal(encrypt(4097))).message).toBe(
      "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096",
    );
    expect((await refusal(encrypt(0))).name).toBe('ValidationException');
    const decrypt = (length: number) => client.send(new DecryptCommand({ CiphertextBlob: Buffer.alloc(length, 1) }));
    expect((await refusal(decrypt(6144))).name).toBe('InvalidCiphertextException');
    expect((await refusal(decrypt(6145))).name).toBe('ValidationException');
  });

  it('concern grants and enclaves, too: there are none', async () => {
    const server = await startServer();
    const client = clientOf(server);
    const { arn: KeyId } = server.createKey();
    const grants = client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('a'), GrantTokens: ['token'] }));
    expect((await refusal(grants)).name).toBe('InvalidGrantTokenException');
    await client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('a'), GrantTokens: [] }));
    const Recipient = { AttestationDocument: Buffer.from('a') };
    const enclave = client.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256', Recipient }));
    expect((await refusal(enclave)).name).toBe('ValidationException');
  });

  it('make a symmetric key refuse asymmetric algorithms', async () => {
    const server = await startServer();
    const client = clientOf(server);
    const { arn: KeyId } = server.createKey();
    const EncryptionAlgorithm = 'RSAES_OAEP_SHA_256';
    const encrypt = client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('a'), EncryptionAlgorithm }));
    const error = await refusal(encrypt);
    expect([error.name, error.message]).toEqual([
      'InvalidKeyUsageException',
      'Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT.',
    ]);
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('a') }));
    const decrypt = client.send(new DecryptCommand({ CiphertextBlob, KeyId, EncryptionAlgorithm }));
    expect((await refusal(decrypt)).name).toBe('InvalidKeyUsageException');
  });
});

describe('ReEncrypt', () => {
  it('moves a ciphertext to another key and context, and names the materials of both', async () => {
    const server = await startServer();
    const client = clientOf(server);
    const [from, to] = [server.createKey(), server.createKey()];
    const Plaintext = Buffer.from('key');
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId: from.arn, Plaintext, EncryptionContext: { a: '1' } }));
    const moved = await client.send(
      new ReEncryptCommand({
        CiphertextBlob,
        SourceKeyId: from.keyId,
        SourceEncryptionContext: { a: '1' },
        DestinationKeyId: to.keyId,
        DestinationEncryptionContext: { b: '2' },
      }),
    );
    const opened = await client.send(new DecryptCommand({ CiphertextBlob: moved.CiphertextBlob, EncryptionContext: { b: '2' } }));
    expect(Buffer.from(opened.Plaintext ?? [])).toEqual(Plaintext);
    expect(moved).toMatchObject({ SourceKeyId: from.arn, KeyId: to.arn, DestinationKeyMaterialId: opened.KeyMaterialId });
    const source = await client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: { a: '1' } }));
    expect(moved.SourceKeyMaterialId).toBe(source.KeyMaterialId);
  });
});

describe('a dry run', () => {
  it('ends before anything is made, once everything has been checked', async () => {
    const server = await startServer();
    const client = clientOf(server);
    const { arn: KeyId } = server.createKey();
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('a') }));
    const DryRun = true;
    const attempts = [
      client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('a'), DryRun })),
      client.send(new DecryptCommand({ CiphertextBlob, DryRun })),
      client.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256', DryRun })),
      client.send(new ReEncryptCommand({ CiphertextBlob, DestinationKeyId: KeyId, DryRun })),
    ];
    for (const error of await Promise.all(attempts.map(refusal))) expect(error.name).toBe('DryRunOperationException');
    const wrong = client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: { a: 'b' }, DryRun }));
    expect((await refusal(wrong)).name).toBe('InvalidCiphertextException');
  });
});
