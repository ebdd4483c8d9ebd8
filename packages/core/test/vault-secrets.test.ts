import { describe, expect, test } from 'vitest';
import { systemRandomSource } from '../src/crypto/random.ts';
import type { KmsCallOptions } from '../src/ports/kms-client.ts';
import { MemoryKeyRecordStore } from '../src/testing/memory-key-record-store.ts';
import { MemoryKms } from '../src/testing/memory-kms.ts';
import { vaultContext } from '../src/vault/vault-options.ts';
import { VaultRecords } from '../src/vault/vault-records.ts';
import { LeakyKms } from './support/checkpoints.ts';
import { keysIn, vaultBench } from './support/vault.ts';

/** Knows its own KEKs too, for a test to look for them. */
class OpenKms extends LeakyKms {
  readonly keks: Uint8Array[] = [];

  override async encrypt(plaintext: Uint8Array, options: KmsCallOptions): ReturnType<LeakyKms['encrypt']> {
    this.keks.push(Uint8Array.from(plaintext));
    return super.encrypt(plaintext, options);
  }
}

/** Makes DEKs as a KMS does and wraps them by copying them aside: wrapping 100,000 for nothing takes a minute. */
class QuickKms extends MemoryKms {
  readonly deks: Uint8Array[] = [];

  override generateDataKey(): ReturnType<MemoryKms['generateDataKey']> {
    const plaintext = systemRandomSource.bytes(32);
    this.deks.push(Uint8Array.from(plaintext));
    const wrapped = { provider: this.provider, keyId: this.keyId, keyVersion: '1', algorithm: 'none', ciphertext: Uint8Array.of(1) };
    return Promise.resolve({ plaintext, wrapped });
  }
}

describe('what is stored', () => {
  test('holds no DEK, no KEK and no plaintext, in no encoding', async () => {
    const kms = new OpenKms();
    const bench = vaultBench({ kms });
    const text = bench.column;
    const binary = bench.vault.column({ table: 't', column: 'c', bind: 'column', encoding: 'binary', content: 'text' });
    const index = bench.vault.blindIndex({ table: 't', column: 'c', index: 'i', normalisation: 'none', encoding: 'text' });
    await bench.vault.prime();
    const stored: string[] = [];
    const keep = (bytes: Uint8Array): void => {
      for (const form of ['latin1', 'hex', 'base64', 'base64url'] as const) stored.push(Buffer.from(bytes).toString(form));
    };
    const secret = 'sk_live_51H8x_the_plaintext_of_it';
    for (let i = 0; i < 20; i++) {
      await bench.vault.roll('field');
      stored.push(text.seal(secret), index.of(secret));
      keep(binary.seal(secret));
    }
    for (const key of await keysIn(bench.records)) {
      stored.push(key);
      keep((await bench.records.get(key))?.bytes ?? new Uint8Array(0));
    }
    stored.push(JSON.stringify(bench.audit.events), JSON.stringify(bench.metrics.measurements), JSON.stringify(await bench.vault.records('field')));
    const all = stored.join('\n');
    expect(kms.deks).toHaveLength(22);
    for (const key of [...kms.deks, ...kms.keks, Buffer.from(secret)]) {
      // Any 16 bytes of it would be too much.
      for (let at = 0; at + 16 <= key.byteLength; at += 8) {
        const part = Buffer.from(key.subarray(at, at + 16));
        for (const form of ['latin1', 'hex', 'base64', 'base64url'] as const) expect(all).not.toContain(part.toString(form).replace(/=+$/, '').slice(0, 20));
      }
    }
  });
});

describe('100,000 keys made by a vault', () => {
  test('are distinct, as are their ids, and look like chance by bits and by bytes', async () => {
    const kms = new QuickKms();
    const records = new VaultRecords(vaultContext({ records: new MemoryKeyRecordStore(), kms, tenant: 'acme' }), 'field');
    const ids = new Set<string>();
    for (let i = 0; i < 100_000; i++) ids.add((await records.create(i)).id);
    expect(ids.size).toBe(100_000);
    expect(new Set(kms.deks.map((dek) => Buffer.from(dek).toString('latin1'))).size).toBe(100_000);

    const counts = new Array<number>(256).fill(0);
    let ones = 0;
    for (const dek of kms.deks) for (const byte of dek) counts[byte] = (counts[byte] ?? 0) + 1;
    for (const [byte, count] of counts.entries()) ones += count * byte.toString(2).replaceAll('0', '').length;
    const total = 32 * 100_000;
    // Monobit: within six standard deviations of one half. Chance exceeds that once in 5 * 10^8 runs.
    expect(Math.abs(ones - total * 4)).toBeLessThan(6 * Math.sqrt(total * 2));
    // Chi-square with 255 degrees of freedom: mean 255, standard deviation 22.6; 400 is passed by chance once in 10^7 runs.
    const expected = total / 256;
    const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect(chiSquare).toBeLessThan(400);
    expect(chiSquare).toBeGreaterThan(140);
  }, 600_000);
});
