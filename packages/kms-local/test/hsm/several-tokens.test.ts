import { expect, it } from 'vitest';
import { Pkcs11Kms } from '../../src/pkcs11/index.ts';
import { context, refusal } from '../support/keyring.ts';
import { RawToken } from './support/raw.ts';
import { safeRefusal, useSoftHsm } from './support/softhsm.ts';

const hsm = useSoftHsm();
hsm.addToken('second');
hsm.addToken('twin');
hsm.addToken('twin');

it('keys of two tokens know nothing of each other', async () => {
  const keyLabel = 'shared name';
  const one = await Pkcs11Kms.create(hsm.options({ keyLabel }));
  const two = await Pkcs11Kms.create(hsm.options({ keyLabel, token: 'second' }));
  const { wrapped } = await one.generateDataKey({ context });
  await refusal('KEY_NOT_FOUND', two.decrypt(wrapped, { context }));
  await refusal('KEY_NOT_FOUND', two.decrypt({ ...wrapped, keyId: two.keyId }, { context }));
  expect([one.keyId, two.keyId].map((id) => id.includes('token=second'))).toEqual([false, true]);
});

it('two tokens of one label are told apart by their serial, which the refusal names', async () => {
  const error = await safeRefusal('CONFIG_INVALID', hsm.create({ token: 'twin' }));
  const [serial = expect.fail('no serial')] = /[0-9a-f]{16}/.exec(error.message) ?? [];
  const kms = await hsm.create({ token: { label: 'twin', serial } });
  expect(kms.keyId).toContain('token=twin');
});

it('another token in the place of the one that was opened is refused', async () => {
  const { slot, module } = new RawToken('second');
  const kms = await hsm.create({ token: { slot: slot.readUInt32LE() } });
  expect(kms.keyId).toContain('token=second');
  hsm.fault('rv C_FindObjectsInit 50');
  await safeRefusal('KMS_UNAVAILABLE', kms.generateDataKey({ context }));
  // The slot's number stays, the token in it becomes another one.
  hsm.fault('label replaced');
  expect(module.C_GetTokenInfo(slot).label.trimEnd()).toBe('replaced');
  const error = await safeRefusal('CONFIG_INVALID', kms.generateDataKey({ context }));
  expect(error.message).toContain('"replaced", not "second"');
  hsm.fault();
  await kms.generateDataKey({ context });
});
