import { AliasTargets } from './alias-targets.ts';
import { AwsKmsClient } from './aws-kms-client.ts';
import { KeyVersions } from './key-versions.ts';
import { KmsCalls, type SignalOptions } from './kms-calls.ts';
import { makeClient } from './make-client.ts';
import { checkOptions, type AwsKmsOptions } from './options.ts';
import { resolveKey } from './resolve-key.ts';
import { Rotator } from './rotation/rotator.ts';
import type { AwsKmsApi } from './sdk.ts';

/** Keys of AWS KMS. */
export const AwsKms = {
  /**
   * Opens a key, or an alias with the keys behind it. A key ARN is used as it is,
   * without a call; anything else is looked up once, by DescribeKey.
   * @throws KeyfoldError CONFIG_INVALID (an option, no region, another region), INVALID_KEY_USAGE (no symmetric
   * encryption key), and from DescribeKey KEY_NOT_FOUND, ACCESS_DENIED, AUTHENTICATION_FAILED, KMS_THROTTLED,
   * KMS_UNAVAILABLE, KMS_PROTOCOL_ERROR, ABORTED
   */
  async open(options: AwsKmsOptions, signals: SignalOptions = {}): Promise<AwsKmsClient> {
    const { name, rotation, multiRegion, testTenant, clock, client, owned } = checkOptions(options);
    const api: AwsKmsApi = 'generateDataKey' in client ? client : await makeClient(client);
    const calls = new KmsCalls(api, owned);
    try {
      const key = await resolveKey({ name, api, calls, multiRegion }, signals);
      const versions = new KeyVersions(calls, key);
      const targets = key.kind === 'alias' ? new AliasTargets(calls, key, clock) : undefined;
      return new AwsKmsClient({ key, calls, versions, targets, rotator: new Rotator({ calls, key, versions }, rotation), testTenant });
    } catch (error) {
      calls.close();
      throw error;
    }
  },
} as const;
