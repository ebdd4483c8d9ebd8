// Checkpoints sealed by the package itself, with everything fixed that it otherwise draws.
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { Bytes, GCM_SUITES, asStreams, clock, core, expand, fixedRandom, named, plaintextOfStreams, secret } from './support.mjs';
import { stream } from '../cases.mjs';

export const SUITE_NAMES = { 1: 'cobblestone-256', 2: 'aes-256-cbc-hmac-sha256', 3: 'aes-256-gcm' };
export const LEAD = 96;

/** A key of a local keyring, by name. */
export function kek(keyId, version = '1') {
  return { provider: 'local', keyId, version, key: named(`kek/${keyId}/${version}`) };
}

/** How the case files tell a keyring. */
export function keyringOf(...keks) {
  return {
    keyId: keks[0].keyId,
    primary: keks.at(-1).version,
    versions: keks.map(({ version, key, state = 'enabled' }) => ({ id: version, state, key: state === 'destroyed' ? null : key.toString('hex') })),
  };
}

export function localWrap({ provider, keyId, version, key }, plaintext, encodedContext, name) {
  const context = Buffer.concat([
    core.label('keyfold/wrap/v1'),
    core.lengthPrefixed(16, Buffer.from(keyId)),
    core.lengthPrefixed(16, Buffer.from(version)),
    encodedContext,
  ]);
  return {
    provider,
    keyId,
    keyVersion: version,
    algorithm: 'keyfold-wrap-v1',
    ciphertext: core.sealMessage(secret(key), context, plaintext, fixedRandom(`wrap/${name}/${keyId}/${version}`)),
  };
}

const K1 = kek('k1');

/**
 * A checkpoint of `length` bytes whose ciphertext is streams, or of the bytes of `plaintext`.
 * `name` decides on everything that is random in it.
 */
export async function makeCheckpoint(name, options = {}) {
  const { suite = 3, length = 20, tenant = 'acme', checkpoint = 'run-1', metadata = {}, generation = 1, keks = [K1] } = options;
  const dek = options.dek ?? named(`dek/${name}`);
  const begin = () =>
    core.CheckpointSealer.begin(
      { tenant, checkpoint, metadata, generation, suite: SUITE_NAMES[suite], kms: kmsOf(keks, dek, name) },
      { random: fixedRandom(`checkpoint/${name}`), clock },
    );
  const { lead } = await begin();
  const context = Buffer.from(
    core.dataBinding(core.parseDataHeader(lead.subarray(0, 40)), core.checkpointContext(tenant, checkpoint)),
  );
  const described = { key: dek, salt: lead.subarray(40, 64), context, name, length };
  const plaintext = options.plaintext ?? (suite === 2 ? plaintextOfCbcStreams(described) : plaintextOfStreams(suite, described));
  const sealer = await begin();
  const sealed = Buffer.concat([sealer.lead, ...sealer.push(plaintext), sealer.end()]);
  const object = options.plaintext === undefined && length > 64 ? ropeOf(suite, { sealed, name, length }) : Bytes.of(sealed);
  const record = Bytes.of(addWraps(sealer.record, { dek, tenant, checkpoint, keks, name }));
  return { suite, tenant, checkpoint, dek, record, object, plaintext: Buffer.from(plaintext), metadata, context, sealer };
}

function kmsOf([first], dek, name) {
  return {
    generateDataKey: ({ context }) =>
      Promise.resolve({ plaintext: Uint8Array.from(dek), wrapped: localWrap(first, dek, core.encodeContext(context), name) }),
  };
}

/** The record with a wrap by each of several keys. */
function addWraps(encoded, { dek, tenant, checkpoint, keks, name }) {
  if (keks.length === 1) {
    return encoded;
  }
  const { record } = core.parseKeyRecord(encoded);
  const context = core.encodeContext(core.wrapContext('checkpoint', tenant, checkpoint, record.dekId));
  return core.signKeyRecord(secret(dek), { ...record, wraps: keks.map((each) => localWrap(each, dek, context, name)) });
}

/** An object that the package does not make: any header, and frames that are what they are said to be. */
export function sealRaw(header, { suite, dek, tenant, checkpoint, salt, plaintext }) {
  const context = Buffer.concat([core.label('keyfold/checkpoint/v1'), header, core.encodeContext(core.checkpointContext(tenant, checkpoint))]);
  const info = Buffer.concat([Buffer.from(`${GCM_SUITES[suite].label}\0`), salt, context]);
  const derived = expand(dek, info, 76);
  const cipher = createCipheriv('aes-256-gcm', derived.subarray(0, 32), derived.subarray(32, 44), { authTagLength: 16 });
  return Bytes.of(header, salt, derived.subarray(44), cipher.update(plaintext), cipher.final(), cipher.getAuthTag());
}

// Suite 02.

const CHUNK = 16_384;
const chunkName = (name, index) => `keyfold/ciphertext/${name}/${index}`;

export function cbcKeys({ key, salt, context }) {
  const info = Buffer.concat([Buffer.from('keyfold/aes-256-cbc-hmac-sha256/v1\0'), salt, context]);
  const derived = expand(key, info, 96);
  return { encryption: derived.subarray(0, 32), authentication: derived.subarray(32, 64), commitment: derived.subarray(64) };
}

/** Full chunks whose blocks, but for the padding, are a stream; the last chunk's plaintext is one. */
function plaintextOfCbcStreams({ key, salt, context, name, length }) {
  const { encryption } = cbcKeys({ key, salt, context });
  const random = fixedRandom(`checkpoint/${name}`);
  // DEK id, object id, salts of data and metadata: what was drawn before the first IV.
  random.bytes(16 + 16 + 24 + 24);
  const parts = [];
  for (let at = 0, index = 0; at <= length; at += CHUNK, index++) {
    if (length - at < CHUNK) {
      parts.push(Buffer.from(stream(`keyfold/plaintext/${name}`, 0, length - at)));
      break;
    }
    const decipher = createDecipheriv('aes-256-cbc', encryption, random.bytes(16)).setAutoPadding(false);
    parts.push(decipher.update(stream(chunkName(name, index), 0, CHUNK)));
  }
  return Buffer.concat(parts);
}

function ropeOf(suite, { sealed, name, length }) {
  if (suite !== 2) {
    return asStreams(suite, { sealed, lead: LEAD, name, length });
  }
  const parts = [sealed.subarray(0, LEAD)];
  let at = LEAD;
  for (let index = 0; index < Math.floor(length / CHUNK); index++) {
    parts.push(sealed.subarray(at, at + 16), Bytes.stream(chunkName(name, index), CHUNK), sealed.subarray(at + 16 + CHUNK, at + 16_448));
    at += 16_448;
  }
  const written = Bytes.of(...parts, sealed.subarray(at));
  if (!written.toBuffer().equals(sealed)) {
    throw new Error(`the ciphertext of ${name} is no stream`);
  }
  return written;
}

/** One chunk of suite 02 with any content, padded by the caller. */
export function sealChunk({ encryption, authentication, commitment }, { index, final, iv, padded }) {
  const cipher = createCipheriv('aes-256-cbc', encryption, iv).setAutoPadding(false);
  const body = Buffer.concat([cipher.update(padded), cipher.final()]);
  const place = Buffer.alloc(9);
  place.writeBigUInt64BE(BigInt(index));
  place[8] = final ? 1 : 0;
  const bits = Buffer.alloc(8);
  bits.writeBigUInt64BE(328n);
  const tag = createHmac('sha256', authentication).update(commitment).update(place).update(iv).update(body).update(bits).digest();
  return Buffer.concat([iv, body, tag]);
}

/** Where frame `index` of a suite begins in its object. */
export function frameStart(suite, index) {
  if (suite === 2) {
    return LEAD + index * 16_448;
  }
  const { full, lead } = GCM_SUITES[suite];
  return index === 0 ? LEAD : LEAD + index * full - lead;
}
