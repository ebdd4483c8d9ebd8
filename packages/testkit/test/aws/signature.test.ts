import { ManualClock } from '@keyfold/core/testing';
import { describe, expect, it } from 'vitest';
import { startServer } from '../support/aws.ts';
import { sendRaw, type RawRequest } from '../support/raw.ts';

const MINUTE = 60_000;
const replace = (from: string | RegExp, to: string): RawRequest => ({
  alter: (headers) => {
    headers['authorization'] = (headers['authorization'] ?? '').replace(from, to);
  },
});
const header = (name: string, value: string | undefined): RawRequest => ({
  alter: (headers) => {
    if (value === undefined) Reflect.deleteProperty(headers, name);
    else headers[name] = value;
  },
});

describe('a signature', () => {
  it.each<[string, RawRequest, string, RegExp]>([
    ['that is missing', header('authorization', undefined), 'MissingAuthenticationTokenException', /Missing Authentication Token/],
    ['of another scheme', header('authorization', 'Basic abc'), 'MissingAuthenticationTokenException', /Missing/],
    ['without a credential', replace(/Credential=[^,]*, /, ''), 'IncompleteSignatureException', /requires 'Credential' parameter/],
    ['without equal-signs', header('authorization', 'AWS4-HMAC-SHA256 Credential'), 'IncompleteSignatureException', /missing equal-sign/],
    ['with a scope that is too short', replace('/aws4_request', ''), 'IncompleteSignatureException', /exactly 5/],
    ['with a scope that is too long', replace('/aws4_request', '/aws4_request/x'), 'IncompleteSignatureException', /exactly 5/],
    ['with another terminator', replace('aws4_request', 'aws5_request'), 'InvalidSignatureException', /valid terminator/],
    ['for another service', { service: 's3' }, 'InvalidSignatureException', /correct service: 'kms'/],
    ['whose scope has another region', replace('us-east-1', 'us-west-2'), 'InvalidSignatureException', /valid region, not 'us-west-2'/],
    ['whose scope has another day', replace(/\/\d{8}\//, '/20200101/'), 'InvalidSignatureException', /does not match YYYYMMDD/],
    ['without a date', header('x-amz-date', undefined), 'IncompleteSignatureException', /X-Amz-Date/],
    ['with a date that is none', header('x-amz-date', '20261399T000000Z'), 'IncompleteSignatureException', /basic format/],
    ['that does not cover the host', { unsigned: ['host'] }, 'InvalidSignatureException', /'host' must be/],
    ['that does not cover the operation', { unsigned: ['x-amz-target'] }, 'InvalidSignatureException', /'x-amz-target' must be/],
    ['of another body', { body: '{"Limit":1}', sentBody: '{"Limit":2}' }, 'InvalidSignatureException', /does not match the signature/],
    ['of another operation', header('x-amz-target', 'TrentService.ListKeys'), 'InvalidSignatureException', /does not match/],
    ['cut short', replace(/.{4}$/, ''), 'InvalidSignatureException', /does not match/],
    ['that is empty', replace(/Signature=.*$/, 'Signature='), 'InvalidSignatureException', /does not match/],
    ['that is longer', replace(/$/, '0'), 'InvalidSignatureException', /does not match/],
    ['with one digit changed', replace(/(.)$/, 'x'), 'InvalidSignatureException', /does not match/],
    [
      'that covers a header which is not sent',
      { headers: { 'x-extra': 'a' }, ...header('x-extra', undefined) },
      'InvalidSignatureException',
      /does not match/,
    ],
    [
      'over a hash that is not that of the body',
      { headers: { 'x-amz-content-sha256': 'ab'.repeat(32) } },
      'InvalidSignatureException',
      /does not match/,
    ],
  ])('%s is refused', async (_, raw, type, message) => {
    const server = await startServer();
    const { status, body } = await sendRaw(server, raw);
    expect({ status, type: body.__type }).toEqual({ status: 400, type });
    expect(body.message).toMatch(message);
    expect(server.requests.list()).toMatchObject([{ principal: undefined, region: undefined, outcome: type }]);
  });

  it('may cover headers that are not usually signed', async () => {
    const server = await startServer();
    expect(await sendRaw(server, { headers: { 'x-extra': ' a  b ', 'x-other': 'c' } })).toMatchObject({ status: 200 });
  });

  it('of a time more than five minutes away is refused, and the answer says what time it is', async () => {
    const signingClock = new ManualClock(1_780_000_000_000);
    const server = await startServer({ signingClock });
    const at = async (offset: number): Promise<string> => {
      const { body } = await sendRaw(server, { signingDate: new Date(signingClock.now() + offset) });
      return body.message ?? 'accepted';
    };
    expect(await at(-5 * MINUTE)).toBe('accepted');
    expect(await at(5 * MINUTE)).toBe('accepted');
    expect(await at(-5 * MINUTE - 1000)).toBe(
      'Signature expired: 20260528T202139Z is now earlier than 20260528T202140Z (20260528T202640Z - 5 min.)',
    );
    expect(await at(5 * MINUTE + 1000)).toBe(
      'Signature not yet current: 20260528T203141Z is still later than 20260528T203140Z (20260528T202640Z + 5 min.)',
    );
    const { headers } = await sendRaw(server, {});
    expect(headers['date']).toBe(new Date(signingClock.now()).toUTCString());
  });
});
