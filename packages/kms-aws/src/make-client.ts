import type { KMSClientConfig } from '@aws-sdk/client-kms';
import type { ClientSettings } from './options.ts';
import type { AwsKmsApi } from './sdk.ts';

/**
 * Makes the SDK's client. The SDK is loaded here and nowhere else, when the first
 * client is made: importing this package costs nothing of it.
 */
export async function makeClient(settings: ClientSettings): Promise<AwsKmsApi> {
  const { KMS } = await import('@aws-sdk/client-kms');
  return new KMS(clientConfig(settings));
}

/** The configuration of the SDK's client. */
export function clientConfig({ region, endpoint, fips, requestTimeoutMs, connectTimeoutMs, clientOptions }: ClientSettings): KMSClientConfig {
  const { requestHandler: handler = {}, ...others } = clientOptions;
  const config = {
    ...others,
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    ...(fips !== undefined && { useFipsEndpoint: fips }),
    // Core retries, and once is enough: the SDK would also retry what is final, such as LimitExceededException.
    maxAttempts: 1,
    retryMode: 'standard',
    requestHandler:
      'handle' in handler
        ? handler
        : // Without throwOnRequestTimeout the SDK writes a warning and waits on.
          { connectionTimeout: connectTimeoutMs, requestTimeout: requestTimeoutMs, ...handler, throwOnRequestTimeout: true },
  };
  return config as KMSClientConfig;
}
