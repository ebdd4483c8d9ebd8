import { Buffer } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import { createCipheriv, createSecretKey, randomBytes } from 'node:crypto';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GIB, KIB, MIB, randomData, sizeName, stream } from '../data.mjs';
import { interleave } from '../interleave.mjs';
import { sealAll } from '../sealing.mjs';
import { median, quiet } from '../statistics.mjs';

export const title = 'Encryption without storage';

export async function run(context) {
  const sizes = context.quick ? [64 * MIB] : [MIB, 64 * MIB, GIB];
  const cases = [await loop(context)];
  for (const size of sizes) cases.push(await streams(context, size));
  return cases;
}

/** One message under one key, 1 MiB frames, against the cipher alone and against OpenSSL's own measurement. */
async function loop({ keyfold, against, quick, progress }) {
  progress('framed encryption loop');
  const size = 64 * MIB;
  const data = randomData(size);
  const key = createSecretKey(randomBytes(32));
  const oneShot = () => {
    for (let at = 0; at < size; at += MIB) {
      const cipher = createCipheriv('aes-256-gcm', key, randomBytes(12), { authTagLength: 16 });
      cipher.update(data.subarray(at, at + MIB));
      cipher.final();
      cipher.getAuthTag();
    }
  };
  const contestants = [
    { name: 'keyfold, 1 MiB frames', run: () => sealAll(keyfold, [data]) },
    { name: 'createCipheriv, 1 MiB at a time', run: () => Promise.resolve(oneShot()) },
    ...(against ? [{ name: 'keyfold before', run: () => sealAll(against, [data]) }] : []),
  ];
  const rounds = quick ? 10 : 30;
  const openssl = [];
  const results = {};
  // OpenSSL measures itself for a second each time, so it takes turns with groups of rounds.
  const groups = 3;
  const parts = [];
  for (let group = 0; group < groups; group++) {
    const speed = opensslSpeed();
    if (speed !== undefined) openssl.push((size / speed) * 1_000);
    parts.push(await interleave(contestants, { rounds: Math.ceil(rounds / groups), warmups: 3 }));
  }
  for (const { name } of contestants) {
    results[name] = {
      medianMs: median(parts.map((part) => part[name].medianMs)),
      quietMs: quiet(parts.map((part) => part[name].quietMs)),
      cpuMs: median(parts.map((part) => part[name].cpuMs)),
      samples: groups * Math.ceil(rounds / groups),
    };
  }
  if (openssl.length > 0) results['openssl speed'] = { medianMs: median(openssl), quietMs: quiet(openssl), cpuMs: median(openssl), samples: openssl.length };
  return {
    name: 'framed encryption loop, 64 MiB in memory',
    bytes: size,
    results,
    ratios: [
      ...(openssl.length > 0 ? [{ of: 'keyfold, 1 MiB frames', against: 'openssl speed', speed: true, atLeast: 0.8 }] : []),
      { of: 'keyfold, 1 MiB frames', against: 'createCipheriv, 1 MiB at a time', speed: true },
      ...(against ? [{ of: 'keyfold, 1 MiB frames', against: 'keyfold before', speed: true }] : []),
    ],
  };
}

/** Bytes a second of `openssl speed -evp aes-256-gcm` with 1 MiB, or undefined where there is none. */
function opensslSpeed() {
  const { status, stdout } = spawnSync('openssl', ['speed', '-mr', '-seconds', '1', '-bytes', String(MIB), '-evp', 'aes-256-gcm'], { encoding: 'utf8' });
  const line = status === 0 ? /^\+F:.*:([0-9.]+)$/m.exec(stdout) : null;
  return line === null ? undefined : Number(line[1]);
}

async function streams({ keyfold, against, quick, progress, peer }, size) {
  progress(`stream encrypt ${sizeName(size)}`);
  const source = randomData(MIB);
  const sodium = await peer('sodium-native');
  const age = await peer('age-encryption');
  const aws = await peer('@aws-crypto/client-node');
  const contestants = [
    { name: 'keyfold', run: () => sealAll(keyfold, stream(size, MIB, source)) },
    { name: 'createCipheriv pipeline, 64 KiB', run: () => cipherPipeline(size, source) },
    ...(against ? [{ name: 'keyfold before', run: () => sealAll(against, stream(size, MIB, source)) }] : []),
  ];
  if (sodium) contestants.push({ name: 'sodium-native secretstream, 1 MiB', run: () => secretstream(sodium.default, size, source) });
  if (aws) contestants.push(...awsContestants(aws, size, source));
  if (age) contestants.push({ name: 'age', run: () => ageStream(age, size, source) });
  const rounds = size >= GIB ? 2 : size >= 64 * MIB ? (quick ? 5 : 12) : 40;
  return {
    name: `stream encrypt ${sizeName(size)}`,
    bytes: size,
    // The slow ones take minutes for a gibibyte.
    results: await interleave(size >= GIB ? contestants.filter(({ name }) => name !== 'age' && !name.endsWith('default')) : contestants, {
      rounds,
      warmups: size >= GIB ? 0 : 1,
    }),
    ratios: [
      { of: 'keyfold', against: 'createCipheriv pipeline, 64 KiB', speed: true, ...(size >= 64 * MIB && { atLeast: 1.5 }) },
      ...(sodium ? [{ of: 'keyfold', against: 'sodium-native secretstream, 1 MiB', speed: true, ...(size >= 64 * MIB && { atLeast: 1.4 }) }] : []),
      ...(aws
        ? [
            { of: 'keyfold', against: 'AWS Encryption SDK, tuned', speed: true, ...(size >= 64 * MIB && { atLeast: 2 }) },
            ...(size < GIB ? [{ of: 'keyfold', against: 'AWS Encryption SDK, default', speed: true, ...(size >= 64 * MIB && { atLeast: 15 }) }] : []),
          ]
        : []),
      ...(age && size < GIB ? [{ of: 'keyfold', against: 'age', speed: true }] : []),
      ...(against ? [{ of: 'keyfold', against: 'keyfold before', speed: true }] : []),
    ],
  };
}

function discard() {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}

function cipherPipeline(size, source) {
  const cipher = createCipheriv('aes-256-gcm', randomBytes(32), randomBytes(12));
  return pipeline(Readable.from(stream(size, 64 * KIB, source)), cipher, discard());
}

async function secretstream(sodium, size, source) {
  const key = Buffer.alloc(sodium.crypto_secretstream_xchacha20poly1305_KEYBYTES);
  sodium.randombytes_buf(key);
  const state = Buffer.alloc(sodium.crypto_secretstream_xchacha20poly1305_STATEBYTES);
  sodium.crypto_secretstream_xchacha20poly1305_init_push(state, Buffer.alloc(sodium.crypto_secretstream_xchacha20poly1305_HEADERBYTES), key);
  // One output for all: as fast as it goes.
  const out = Buffer.alloc(MIB + sodium.crypto_secretstream_xchacha20poly1305_ABYTES);
  for await (const chunk of stream(size, MIB, source)) {
    sodium.crypto_secretstream_xchacha20poly1305_push(
      state,
      out.subarray(0, chunk.byteLength + sodium.crypto_secretstream_xchacha20poly1305_ABYTES),
      chunk,
      null,
      sodium.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE,
    );
  }
}

function awsContestants(aws, size, source) {
  const { AlgorithmSuiteIdentifier, CommitmentPolicy, RawAesKeyringNode, RawAesWrappingSuiteIdentifier, buildClient } = aws;
  const { encryptStream } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
  const keyring = new RawAesKeyringNode({
    keyName: 'bench',
    keyNamespace: 'bench',
    unencryptedMasterKey: randomBytes(32),
    wrappingSuite: RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
  });
  const run = (chunk, options) => () => pipeline(Readable.from(stream(size, chunk, source)), encryptStream(keyring, options), discard());
  return [
    {
      name: 'AWS Encryption SDK, tuned',
      run: run(MIB, { frameLength: MIB, suiteId: AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY }),
    },
    { name: 'AWS Encryption SDK, default', run: run(64 * KIB, {}) },
  ];
}

async function ageStream(age, size, source) {
  const encrypter = new age.Encrypter();
  encrypter.addRecipient(await age.identityToRecipient(await age.generateIdentity()));
  const sealed = await encrypter.encrypt(Readable.toWeb(Readable.from(stream(size, MIB, source))));
  const reader = sealed.getReader();
  while (!(await reader.read()).done);
}
