import { describe, expect, it } from 'vitest';
import { startServer } from '../support/aws.ts';
import { sendRaw, type RawRequest } from '../support/raw.ts';

describe('a request', () => {
  it('signed by hand is answered, with a query and in any order of its headers', async () => {
    const server = await startServer();
    const { status, headers, body } = await sendRaw(server, { path: '/?b=2&a=1' });
    expect({ status, body }).toEqual({ status: 200, body: { Aliases: [], Truncated: false } });
    expect(headers['content-type']).toBe('application/x-amz-json-1.1');
    expect(headers['x-amzn-requestid']).toBe(server.requests.list()[0]?.requestId);
  });

  it.each<[string, RawRequest, string]>([
    ['for an operation that does not exist', { operation: 'MakeCoffee' }, 'UnknownOperationException'],
    ['without a target', { operation: undefined }, 'UnknownOperationException'],
    ['with another method', { method: 'PUT' }, 'UnknownOperationException'],
    ['whose body is no JSON', { body: '{' }, 'SerializationException'],
    ['whose body is empty', { body: '' }, 'SerializationException'],
    ['whose body is a list', { body: '[]' }, 'SerializationException'],
    ['whose body is null', { body: 'null' }, 'SerializationException'],
    ['whose body is not UTF-8', { body: Buffer.from('7b2261223a22ff227d', 'hex') }, 'SerializationException'],
    ['whose number is a string', { body: '{"Limit":"5"}' }, 'SerializationException'],
    ['whose number is no whole one', { body: '{"Limit":1.5}' }, 'SerializationException'],
    ['whose flag is a string', { operation: 'CreateKey', body: '{"MultiRegion":"yes"}' }, 'SerializationException'],
    ['whose bytes are a number', { operation: 'Decrypt', body: '{"CiphertextBlob":5}' }, 'SerializationException'],
    ['whose bytes are not strict Base64', { operation: 'Decrypt', body: '{"CiphertextBlob":"YQ"}' }, 'SerializationException'],
    ['whose list is an object', { operation: 'CreateKey', body: '{"Tags":{}}' }, 'SerializationException'],
    ['whose list has a hole', { operation: 'CreateKey', body: '{"Tags":[null]}' }, 'SerializationException'],
    ['whose item is a string', { operation: 'CreateKey', body: '{"Tags":["a"]}' }, 'SerializationException'],
    ['whose map is a list', { operation: 'Decrypt', body: '{"EncryptionContext":[]}' }, 'SerializationException'],
    ['whose map holds a number', { operation: 'Decrypt', body: '{"EncryptionContext":{"a":1}}' }, 'SerializationException'],
  ])('%s is refused', async (_, raw, type) => {
    const server = await startServer();
    expect(await sendRaw(server, raw)).toMatchObject({ status: 400, body: { __type: type } });
    expect(server.requests.list()).toMatchObject([{ outcome: type, status: 400 }]);
  });

  it('of more than 256 KiB is refused', async () => {
    const server = await startServer();
    const body = JSON.stringify({ Marker: 'x'.repeat(300_000) });
    expect(await sendRaw(server, { body })).toMatchObject({ status: 413, body: { __type: 'RequestEntityTooLargeException' } });
  });

  it.each([
    ['{}', "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null"],
    [
      '{"KeyId":"","KeySpec":"AES_512","NumberOfBytes":2000}',
      "3 validation errors detected: Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1; " +
        "Value 'AES_512' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [AES_256, AES_128]; " +
        "Value '2000' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024",
    ],
    [
      '{"KeyId":"a","NumberOfBytes":0}',
      "1 validation error detected: Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal to 1",
    ],
  ])('that breaks constraints is told which: %s', async (body, message) => {
    const server = await startServer();
    const answer = await sendRaw(server, { operation: 'GenerateDataKey', body });
    expect(answer).toMatchObject({ status: 400, body: { __type: 'ValidationException', message } });
  });

  it('with members that the operation does not have is carried out without them', async () => {
    const server = await startServer();
    expect(await sendRaw(server, { body: '{"Nonsense":1,"Limit":null}' })).toMatchObject({ status: 200 });
  });
});
