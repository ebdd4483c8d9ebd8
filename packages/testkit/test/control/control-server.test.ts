import { GenerateDataKeyCommand, GetKeyRotationStatusCommand, RotateKeyOnDemandCommand } from '@aws-sdk/client-kms';
import { ManualClock } from '@keyfold/core/testing';
import { isKeyfoldError } from '@keyfold/core/provider';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ControlServer } from '../../src/control/control-server.ts';
import { ShiftedClock } from '../../src/control/shifted-clock.ts';
import { clientOf, refusal, startServer } from '../support/aws.ts';
import { callControl, type ControlAnswer } from '../support/control.ts';

const START = 1_700_000_000_000;

async function scene() {
  const clock = new ShiftedClock(new ManualClock(START));
  const server = await startServer({ clock, backgroundMs: 5000 });
  const control = await ControlServer.start(0, { faults: server.faults, requests: server.requests, clock });
  onTestFinished(() => control.close());
  const call = (method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<ControlAnswer> =>
    callControl(control.endpoint, method, path, body, headers);
  return { server, client: clientOf(server), KeyId: server.createKey().arn, control, call };
}

describe('the control endpoint', () => {
  it('injects faults, shows what they met, and takes them back', async () => {
    const { client, KeyId, call } = await scene();
    const fault = { kind: 'throttle', operation: 'GenerateDataKey', count: 'always' };
    expect(await call('POST', '/faults', fault)).toEqual({ status: 201, body: { fault, hits: 0 } });
    const generate = () => client.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }));
    expect((await refusal(generate())).name).toBe('ThrottlingException');
    expect(await call('GET', '/faults')).toEqual({ status: 200, body: { faults: [{ fault, hits: 1 }] } });
    expect(await call('DELETE', '/faults')).toEqual({ status: 204, body: undefined });
    await generate();
    expect(await call('GET', '/faults')).toEqual({ status: 200, body: { faults: [] } });
  });

  it('shows and forgets the requests', async () => {
    const { client, KeyId, call } = await scene();
    await client.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256', EncryptionContext: { a: 'b' } }));
    const logged = { operation: 'GenerateDataKey', outcome: 'ok', keys: [KeyId], encryptionContext: { a: 'b' } };
    expect((await call('GET', '/requests')).body).toMatchObject({ requests: [logged] });
    expect((await call('GET', '/requests?operation=Decrypt')).body).toEqual({ requests: [] });
    expect((await call('DELETE', '/requests')).status).toBe(204);
    expect((await call('GET', '/requests')).body).toEqual({ requests: [] });
  });

  it('puts the clock of the keys forward, and no signature minds', async () => {
    const { client, KeyId, call } = await scene();
    await client.send(new RotateKeyOnDemandCommand({ KeyId }));
    expect(await client.send(new GetKeyRotationStatusCommand({ KeyId }))).toHaveProperty('OnDemandRotationStartDate');
    const advanceMs = 400 * 86_400_000;
    expect(await call('POST', '/clock', { advanceMs })).toEqual({ status: 200, body: { now: START + advanceMs } });
    expect(await client.send(new GetKeyRotationStatusCommand({ KeyId }))).not.toHaveProperty('OnDemandRotationStartDate');
    expect(await call('GET', '/clock')).toEqual({ status: 200, body: { now: START + advanceMs } });
  });

  it.each<[string, string, string, unknown]>([
    ['a fault that is none', 'POST', '/faults', { kind: 'fire' }],
    ['a body that is no JSON', 'POST', '/faults', undefined],
    ['a body that is too long', 'POST', '/faults', { kind: 'x'.repeat(70_000) }],
    ['a clock that goes back', 'POST', '/clock', { advanceMs: -1 }],
    ['a clock that is put nowhere', 'POST', '/clock', {}],
    ['a clock that is null', 'POST', '/clock', null],
  ])('refuses %s', async (_, method, path, body) => {
    const { server, call } = await scene();
    const answer = await call(method, path, body);
    expect(answer).toMatchObject({ status: 400, body: { error: expect.any(String) as string } });
    expect(server.faults.list()).toEqual([]);
  });

  it('knows no other paths', async () => {
    const { call } = await scene();
    expect((await call('GET', '/')).status).toBe(404);
    expect((await call('PUT', '/faults')).status).toBe(404);
  });

  it.each([
    ['with an origin', { origin: 'https://example.org' }],
    ['that a browser marks', { 'sec-fetch-site': 'cross-site' }],
    ['under the name of another host', { host: 'rebound.example.org' }],
  ])('refuses requests of web pages: %s', async (_, headers) => {
    const { server, call } = await scene();
    expect((await call('POST', '/faults', { kind: 'throttle' }, headers)).status).toBe(403);
    expect(server.faults.list()).toEqual([]);
  });

  it('does not start on a port that is taken', async () => {
    const { server, control } = await scene();
    const controlled = { faults: server.faults, requests: server.requests, clock: new ShiftedClock(new ManualClock()) };
    const error = await refusal(ControlServer.start(Number(new URL(control.endpoint).port), controlled));
    expect(isKeyfoldError(error, 'CONFIG_INVALID')).toBe(true);
  });
});
