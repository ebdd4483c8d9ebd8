import { describe, expect, it } from 'vitest';
import { OPERATIONS } from '../../src/aws/operations/index.ts';
import { breaches } from '../support/contract.ts';
import { declaredErrors, memberNames, operationSchema, requiredMembers, violations } from '../support/sdk-schema.ts';

const names = [...OPERATIONS.keys()];
const json = { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': '7a4d3c0e-7d0f-4f0b-8f37-8a4cc4c6f0aa' };

describe.each(names)('%s', (name) => {
  const shape = OPERATIONS.get(name)?.input ?? {};
  const { input } = operationSchema(name);

  it("accepts only members that the SDK's schema has", () => {
    expect(memberNames(input)).toEqual(expect.arrayContaining(Object.keys(shape)));
  });

  it("requires what the SDK's schema requires", () => {
    const required = Object.entries(shape).flatMap(([member, each]) => ('required' in each ? [member] : []));
    expect(required).toEqual(expect.arrayContaining([...requiredMembers(input)]));
  });

  it('declares errors of its own', () => {
    expect(declaredErrors(name)).toContain('KMSInternalException');
  });
});

describe('the check of answers', () => {
  const { output } = operationSchema('DescribeKey');

  it.each([
    ['a member that the schema does not know', { KeyMetadata: { KeyId: 'k', Extra: 1 } }],
    ['a required member that is missing', { KeyMetadata: { Arn: 'a' } }],
    ['a date that is a string', { KeyMetadata: { KeyId: 'k', CreationDate: '2026-01-01' } }],
    ['a date in milliseconds', { KeyMetadata: { KeyId: 'k', CreationDate: 1_700_000_000_000 } }],
    ['a flag that is a string', { KeyMetadata: { KeyId: 'k', Enabled: 'true' } }],
    ['a list that is none', { KeyMetadata: { KeyId: 'k', EncryptionAlgorithms: 'SYMMETRIC_DEFAULT' } }],
    ['a wrong item of a list', { KeyMetadata: { KeyId: 'k', MultiRegionConfiguration: { ReplicaKeys: [{ Arn: 1 }] } } }],
    ['a structure that is none', { KeyMetadata: [] }],
  ])('sees %s', (_, value) => {
    expect(violations(output, value, 'DescribeKey')).toHaveLength(1);
  });

  it.each([
    ['bytes that are not Base64', 'Decrypt', 200, { Plaintext: '!' }],
    ['content where none belongs', 'EnableKey', 200, { KeyId: 'k' }],
    ['an error that the operation does not declare', 'DescribeKey', 400, { __type: 'IncorrectKeyException' }],
    ['an error without a type', 'DescribeKey', 400, { message: 'no' }],
    ['an error with more than a message', 'DescribeKey', 400, { __type: 'NotFoundException', key: 'k' }],
  ])('sees %s', (_, operation, statusCode, value) => {
    expect(breaches(operation, { statusCode, headers: json }, Buffer.from(JSON.stringify(value)))).toHaveLength(1);
  });

  it('sees a wrong content type and a missing request id', () => {
    const body = Buffer.from('{}');
    expect(breaches('EnableKey', { statusCode: 200, headers: json }, body)).toEqual([]);
    expect(breaches('EnableKey', { statusCode: 200, headers: { ...json, 'content-type': 'text/html' } }, body)).toHaveLength(1);
    expect(breaches('EnableKey', { statusCode: 200, headers: { ...json, 'x-amzn-requestid': '' } }, body)).toHaveLength(1);
  });
});
