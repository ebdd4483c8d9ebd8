import { share, yours } from './connection.ts';
import { GcpKmsClient } from './gcp-kms-client.ts';
import { KmsCalls } from './kms-calls.ts';
import { checkOptions, type GcpKmsOptions } from './options.ts';

/** Keys of Google Cloud KMS. */
export const GcpKms = {
  /**
   * Opens a key. Nothing is asked of Google and nothing loaded until the key is
   * used, so a service that is down does not keep a process from starting.
   * @throws KeyfoldError CONFIG_INVALID
   */
  open(options: GcpKmsOptions): Promise<GcpKmsClient> {
    return Promise.resolve().then(() => {
      const { keyId, rotation, requestTimeoutMs, testTenant, clock, client } = checkOptions(options);
      const calls = new KmsCalls('encrypt' in client ? yours(client) : share(client), requestTimeoutMs);
      return new GcpKmsClient({ keyId, calls, rotation, testTenant, clock });
    });
  },
} as const;
