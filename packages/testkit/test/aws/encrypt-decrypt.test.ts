import {
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  type DecryptCommandInput,
} from '@aws-sdk/client-kms';
import { describe, expect, it } from 'vitest';
import { clientOf, refusal, startServer } from '../support/aws.ts';

const EncryptionContext = { tenant: 'acme', purpose: 'wrap' };

describe('a symmetric key', () => {
  it('made by CreateKey encrypts and decrypts through its alias, and names the material that did it', async () => {
    const server = await startServer();
    const client = clientOf(server);
    const { KeyMetadata } = await client.send(new CreateKeyCommand({ Description: 'of the test' }));
    await client.send(new CreateAliasCommand({ AliasName: 'alias/app', TargetKeyId: KeyMetadata?.KeyId }));
    const Plaintext = Buffer.from('a data key of 32 bytes, or so....');
    const encrypted = await client.send(new EncryptCommand({ KeyId: 'alias/app', Plaintext, EncryptionContext }));
    const decrypted = await client.send(new DecryptCommand({ CiphertextBlob: encrypted.CiphertextBlob, EncryptionContext }));
    expect(Buffer.from(decrypted.Plaintext ?? [])).toEqual(Plaintext);
    expect(decrypted.KeyId).toBe(KeyMetadata?.Arn);
    const described = await client.send(new DescribeKeyCommand({ KeyId: 'alias/app' }));
    expect(described.KeyMetadata?.CurrentKeyMaterialId).toMatch(/^[0-9a-f]{64}$/);
    expect(decrypted.KeyMaterialId).toBe(described.KeyMetadata?.CurrentKeyMaterialId);
    expect(server.requests.count('Encrypt')).toBe(1);
    expect(server.requests.list('Decrypt')[0]).toMatchObject({ outcome: 'ok', status: 200, keys: [KeyMetadata?.Arn], encryptionContext: EncryptionContext });
  });

  it('answers GenerateDataKey with a key that Decrypt gives back', async () => {
    const server = await startServer();
    const client = clientOf(server);
    const { arn } = server.createKey();
    const made = await client.send(new GenerateDataKeyCommand({ KeyId: arn, KeySpec: 'AES_256', EncryptionContext }));
    expect(made.Plaintext).toHaveLength(32);
    const decrypted = await client.send(new DecryptCommand({ KeyId: arn, CiphertextBlob: made.CiphertextBlob, EncryptionContext }));
    expect(decrypted.Plaintext).toEqual(made.Plaintext);
    expect(decrypted.KeyMaterialId).toBe(made.KeyMaterialId);
  });

  it('does not decrypt under another context, another key, or after a change of any byte', async () => {
    const server = await startServer();
    const client = clientOf(server);
    const key = server.createKey();
    const other = server.createKey();
    const { CiphertextBlob = new Uint8Array() } = await client.send(
      new EncryptCommand({ KeyId: key.keyId, Plaintext: Buffer.from('secret'), EncryptionContext }),
    );
    const attempt = async (input: DecryptCommandInput): Promise<string> =>
      (await refusal(client.send(new DecryptCommand(input)))).name;
    expect(await attempt({ CiphertextBlob })).toBe('InvalidCiphertextException');
    expect(await attempt({ CiphertextBlob, EncryptionContext: { ...EncryptionContext, tenant: 'evil' } })).toBe('InvalidCiphertextException');
    expect(await attempt({ CiphertextBlob, EncryptionContext, KeyId: other.arn })).toBe('IncorrectKeyException');
    for (let index = 0; index < CiphertextBlob.length; index++) {
      const altered = Uint8Array.from(CiphertextBlob);
      altered[index] = (altered[index] ?? 0) ^ 1;
      expect(await attempt({ CiphertextBlob: altered, EncryptionContext })).toMatch(/^(InvalidCiphertext|AccessDenied|NotFound)Exception$/);
    }
  });
});
