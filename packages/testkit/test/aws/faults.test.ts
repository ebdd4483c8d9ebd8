import { GenerateDataKeyCommand } from '@aws-sdk/client-kms';
import { describe, expect, it } from 'vitest';
import { clientOf, refusal, startServer } from '../support/aws.ts';

describe('a fault', () => {
  it('meets as many requests of its operation as it was told to, and no others', async () => {
    const server = await startServer();
    const client = clientOf(server);
    const { arn } = server.createKey();
    const injected = server.faults.inject({ kind: 'throttle', operation: 'GenerateDataKey', after: 1, count: 2 });
    const call = () => client.send(new GenerateDataKeyCommand({ KeyId: arn, KeySpec: 'AES_256' }));
    await call();
    expect(await refusal(call())).toMatchObject({ name: 'ThrottlingException' });
    expect(await refusal(call())).toMatchObject({ name: 'ThrottlingException' });
    await call();
    expect(injected.hits).toBe(2);
    expect(injected.active).toBe(false);
  });

  it.each(['hang', 'reset'] as const)('%s leaves the client without an answer', async (kind) => {
    const server = await startServer();
    const client = clientOf(server);
    const { arn } = server.createKey();
    server.faults.inject({ kind });
    const pending = refusal(client.send(new GenerateDataKeyCommand({ KeyId: arn, KeySpec: 'AES_256' })));
    if (kind === 'hang') {
      await expect.poll(() => server.requests.count()).toBe(1);
      await server.close();
    }
    await pending;
    expect(server.requests.list()).toMatchObject([{ outcome: 'not carried out', status: undefined, fault: kind }]);
  });
});
