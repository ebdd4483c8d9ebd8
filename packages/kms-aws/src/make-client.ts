import type { KMSClientConfig } from '@aws-sdk/client-kms';
import { KeyfoldError } from '@keyfold/core/provider';
import { isPlaintext, type ClientSettings } from './options.ts';
import type { AwsKmsApi } from './sdk.ts';

/**
 * Makes the SDK's client. The SDK is loaded here and nowhere else, when the first
 * client is made: importing this package costs nothing of it.
 */
export async function makeClient(settings: ClientSettings): Promise<AwsKmsApi> {
  const { KMS } = await import('@aws-sdk/client-kms');
  const client = new KMS(clientConfig(settings));
  if (!settings.allowPlaintextHttp) {
    client.middlewareStack.add((next) => (args) => {
      refusePlaintext(args.request);
      return next(args);
    }, { step: 'finalizeRequest', name: 'keyfoldNoPlaintext' });
  }
  return client;
}

/** The SDK also takes endpoints from the environment and the shared configuration, past the check of the options. */
function refusePlaintext(request: unknown): void {
  const { protocol = '', hostname = '' } = request as { readonly protocol?: string; readonly hostname?: string };
  if (!isPlaintext(protocol, hostname)) return;
  throw new KeyfoldError(
    'CONFIG_INVALID',
    'The endpoint of AWS KMS is http: data keys would cross the network in clear. Use https (the endpoint may come from AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_KMS or the profile), or allowPlaintextHttp: true for an emulator.',
  );
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
