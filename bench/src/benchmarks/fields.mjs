import { Buffer } from 'node:buffer';
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes, randomFillSync } from 'node:crypto';
import { interleave, perCall } from '../interleave.mjs';

export const title = 'Sealed fields of 100 bytes';

const KEY = createSecretKey(randomBytes(32));
const AAD = Buffer.from('users.phone');

/** Node's crypto with the same text encoding, and nothing else: one key for all, no commitment, no key id. */
function bareSeal(text) {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', KEY, nonce, { authTagLength: 16 });
  cipher.setAAD(AAD);
  const body = cipher.update(text, 'utf8');
  cipher.final();
  return Buffer.concat([nonce, body, cipher.getAuthTag()]).toString('base64url');
}

function bareOpen(stored) {
  const bytes = Buffer.from(stored, 'base64url');
  const decipher = createDecipheriv('aes-256-gcm', KEY, bytes.subarray(0, 12), { authTagLength: 16 });
  decipher.setAAD(AAD);
  decipher.setAuthTag(bytes.subarray(-16));
  return decipher.update(bytes.subarray(12, -16), undefined, 'utf8') + decipher.final('utf8');
}

function sodiumContestants(sodium, text) {
  const key = randomBytes(32);
  const tag = sodium.crypto_aead_xchacha20poly1305_ietf_ABYTES;
  const seal = () => {
    const message = Buffer.from(text);
    const out = Buffer.allocUnsafe(24 + message.length + tag);
    randomFillSync(out, 0, 24);
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(out.subarray(24), message, AAD, null, out.subarray(0, 24), key);
    return out.toString('base64url');
  };
  const stored = seal();
  const open = () => {
    const bytes = Buffer.from(stored, 'base64url');
    const message = Buffer.allocUnsafe(bytes.length - 24 - tag);
    sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(message, null, bytes.subarray(24), AAD, bytes.subarray(0, 24), key);
    return message.toString();
  };
  return { seal, open };
}

function repeated(name, call) {
  return { name, run: () => perCall(call, 20) };
}

export async function run({ keyfold, against, quick, progress, peer }) {
  progress('fields');
  const text = 'x'.repeat(100);
  const column = await sealedColumn(keyfold);
  const before = against?.core.KeyVault && (await sealedColumn(against));
  const sodium = await peer('sodium-native');
  const peerFields = sodium && sodiumContestants(sodium.default, text);
  const sealed = column.seal(text);
  const bare = bareSeal(text);
  const sealedBefore = before?.seal(text);
  const rounds = quick ? 20 : 100;
  const results = {
    seal: await interleave(
      [
        repeated('keyfold', () => column.seal(text)),
        repeated('bare node:crypto', () => bareSeal(text)),
        ...(before ? [repeated('keyfold before', () => before.seal(text))] : []),
        ...(peerFields ? [repeated('sodium-native XChaCha20', peerFields.seal)] : []),
      ],
      { rounds, warmups: 10 },
    ),
    open: await interleave(
      [
        repeated('keyfold', () => column.open(sealed)),
        repeated('bare node:crypto', () => bareOpen(bare)),
        ...(before ? [repeated('keyfold before', () => before.open(sealedBefore))] : []),
        ...(peerFields ? [repeated('sodium-native XChaCha20', peerFields.open)] : []),
      ],
      { rounds, warmups: 10 },
    ),
  };
  const compare = (atLeast) => [
    { of: 'keyfold', against: 'bare node:crypto', speed: true, noCpu: true, atLeast },
    ...(before ? [{ of: 'keyfold', against: 'keyfold before', speed: true, noCpu: true }] : []),
    ...(peerFields ? [{ of: 'keyfold', against: 'sodium-native XChaCha20', speed: true, noCpu: true }] : []),
  ];
  return [
    { name: 'seal a field of 100 bytes', results: results.seal, ratios: compare(0.5) },
    { name: 'open a field of 100 bytes', results: results.open, ratios: compare(0.6) },
    { name: 'characters that a field of 100 bytes takes', limits: [{ what: 'characters', value: sealed.length, atMost: 264 }, { what: 'characters, bare node:crypto', value: bare.length }] },
  ];
}

async function sealedColumn(keyfold) {
  const vault = new keyfold.core.KeyVault({ records: new keyfold.testing.MemoryKeyRecordStore(), kms: new keyfold.testing.MemoryKms(), tenant: 'bench' });
  await vault.prime();
  return vault.column({ table: 'users', column: 'phone', bind: 'column', encoding: 'text', content: 'text' });
}
