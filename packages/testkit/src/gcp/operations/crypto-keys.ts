import { CryptoKey, ENCRYPT_DECRYPT } from '../keys/crypto-key.ts';
import type { ProtectionLevel } from '../keys/key-version.ts';
import { parentOf, requireId, requireName } from '../keys/resource-name.ts';
import type { Fields } from '../wire/fields.ts';
import { GcpError, failedPrecondition, invalidArgument, unimplemented } from '../wire/gcp-error.ts';
import type { Operation } from './call.ts';
import { page } from './page.ts';

const HOUR_MS = 3_600_000;
/** Limits of `rotation_period` in the API. */
const MIN_PERIOD_MS = 24 * HOUR_MS;
const MAX_PERIOD_MS = 876_000 * HOUR_MS;
/** For how long a destroyed version can be restored unless the key says otherwise. */
const DESTROY_SCHEDULED_MS = 30 * 24 * HOUR_MS;
/** What symmetric keys have; the others are made so that a client meets a key of the wrong purpose. */
const SYMMETRIC = 'GOOGLE_SYMMETRIC_ENCRYPTION';

export const createCryptoKey: Operation = (call, request) => {
  const parent = requireName('keyRing', request.requiredText('parent'));
  call.authorize('cryptoKeys.create', parent);
  call.state.keyRing(parent);
  const name = `${parent}/cryptoKeys/${requireId('cryptoKeyId', request.text('cryptoKeyId'))}`;
  if (call.state.cryptoKeys.has(name)) throw new GcpError('ALREADY_EXISTS', `CryptoKey ${name} already exists.`);
  const wanted = request.message('cryptoKey');
  if (wanted === undefined) throw invalidArgument('The request is missing the field cryptoKey.');
  const key = newKey(name, wanted, { now: call.now, generationMs: call.state.generationMs });
  setSchedule(key, wanted, call.now);
  if (!request.flag('skipInitialVersionCreation')) {
    const first = key.addVersion(call.now);
    if (key.init.purpose === ENCRYPT_DECRYPT) key.setFirstPrimary(first);
  }
  call.state.cryptoKeys.set(name, key);
  call.keys.push(name);
  return key.toMessage();
};

export const getCryptoKey: Operation = (call, request) => {
  const name = requireName('cryptoKey', request.requiredText('name'));
  call.authorize('cryptoKeys.get', name);
  return call.state.cryptoKey(name).toMessage();
};

export const listCryptoKeys: Operation = (call, request) => {
  const parent = requireName('keyRing', request.requiredText('parent'));
  call.authorize('cryptoKeys.list', parent);
  call.state.keyRing(parent);
  const keys = [...call.state.cryptoKeys.values()].filter(({ init }) => parentOf(init.name) === parent);
  return page(request, 'cryptoKeys', keys.map((key) => ({ name: key.init.name, toMessage: () => key.toMessage() })));
};

export const updateCryptoKey: Operation = (call, request) => {
  const wanted = request.message('cryptoKey');
  const name = requireName('cryptoKey', wanted?.text('name') ?? '');
  call.authorize('cryptoKeys.update', name);
  const key = call.state.cryptoKey(name);
  const paths = request.message('updateMask')?.texts('paths') ?? [];
  if (wanted === undefined || paths.length === 0) throw invalidArgument('The request is missing the field updateMask.');
  const unknown = paths.find((path) => !['rotation_period', 'next_rotation_time', 'labels'].includes(path));
  if (unknown !== undefined) throw invalidArgument(`updateMask has the path ${unknown}, which cannot be updated here.`);
  if (paths.some((path) => path !== 'labels')) setSchedule(key, wanted, call.now, paths);
  if (paths.includes('labels')) key.labels = wanted.labels('labels');
  return key.toMessage();
};

export const updateCryptoKeyPrimaryVersion: Operation = (call, request) => {
  const name = requireName('cryptoKey', request.requiredText('name'));
  call.authorize('cryptoKeys.update', name);
  const key = call.state.cryptoKey(name);
  key.requireEncrypts();
  key.makePrimary(key.version(request.requiredText('cryptoKeyVersionId')));
  return key.toMessage();
};

function newKey(name: string, wanted: Fields, { now, generationMs }: { now: number; generationMs: number }): CryptoKey {
  const purpose = wanted.text('purpose');
  if (purpose === '' || purpose === 'CRYPTO_KEY_PURPOSE_UNSPECIFIED') throw invalidArgument('The CryptoKey is missing the field purpose.');
  const template = wanted.message('versionTemplate');
  const algorithm = template?.text('algorithm') ?? '';
  if (purpose !== ENCRYPT_DECRYPT && algorithm === '') throw invalidArgument('A key of this purpose needs versionTemplate.algorithm.');
  if (purpose === ENCRYPT_DECRYPT && algorithm !== '' && algorithm !== SYMMETRIC) throw invalidArgument(`A key that encrypts has the algorithm ${SYMMETRIC}.`);
  const key = new CryptoKey({
    name,
    purpose,
    protectionLevel: protectionLevelOf(template?.text('protectionLevel') ?? ''),
    algorithm: algorithm === '' ? SYMMETRIC : algorithm,
    createdAt: now,
    destroyScheduledMs: wanted.milliseconds('destroyScheduledDuration') ?? DESTROY_SCHEDULED_MS,
    generationMs,
  });
  key.labels = wanted.labels('labels');
  return key;
}

function protectionLevelOf(level: string): ProtectionLevel {
  if (level === '' || level === 'PROTECTION_LEVEL_UNSPECIFIED') return 'SOFTWARE';
  if (level === 'SOFTWARE' || level === 'HSM') return level;
  throw unimplemented(`The protection level ${level}`);
}

/** Sets those of the two that the mask names, or what a new key was given. */
function setSchedule(key: CryptoKey, wanted: Fields, now: number, paths: readonly string[] = ['rotation_period', 'next_rotation_time']): void {
  const periodMs = paths.includes('rotation_period') ? wanted.milliseconds('rotationPeriod') : key.schedule.periodMs;
  const nextAt = paths.includes('next_rotation_time') ? wanted.milliseconds('nextRotationTime') : key.schedule.nextAt;
  if (periodMs === undefined && nextAt === undefined) {
    key.schedule = { periodMs, nextAt };
    return;
  }
  if (key.init.purpose !== ENCRYPT_DECRYPT) throw failedPrecondition('Only keys that encrypt rotate by themselves.');
  if (periodMs !== undefined && (periodMs < MIN_PERIOD_MS || periodMs > MAX_PERIOD_MS)) throw invalidArgument('rotationPeriod must be 24 hours to 876,000 hours.');
  if (periodMs !== undefined && nextAt === undefined) throw invalidArgument('A key with rotationPeriod needs nextRotationTime.');
  if (nextAt !== undefined && nextAt <= now) throw invalidArgument('nextRotationTime must be in the future.');
  key.schedule = { periodMs, nextAt };
}
