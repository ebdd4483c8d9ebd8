import { share, yours } from './connection.ts';
import type { GcpKmsClient } from './gcp-kms-client.ts';
import { KmsCalls } from './kms-calls.ts';
import { checkOptions, type GcpKmsOptions } from './options.ts';

/** Keys of Google Cloud KMS. */
export const GcpKms = {
  /**
   * Opens a key. Nothing is asked of Google and nothing of the SDK loaded until the
   * key is used, so a service that is down does not keep a process from starting.
   * @throws KeyfoldError CONFIG_INVALID
   */
  async open(options: GcpKmsOptions): Promise<GcpKmsClient> {
    const { keyId, rotation, requestTimeoutMs, testTenant, clock, client } = checkOptions(options);
    // With this comes the library of checksums, which importing the package does not load.
    const { GcpKmsClient: Client } = await import('./gcp-kms-client.ts');
    const calls = new KmsCalls('encrypt' in client ? yours(client) : share(client), requestTimeoutMs);
    return new Client({ keyId, calls, rotation, testTenant, clock });
  },
} as const;
