import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { awsContext } from '../src/kms-context.ts';
import { CONTEXT } from './support/constants.ts';
import { failure } from './support/expect-code.ts';

describe('the encryption context that AWS KMS binds', () => {
  test('is the wrap context with keyfold = 1 in the place of its purpose, as a map', () => {
    expect(awsContext(CONTEXT)).toEqual({ use: 'checkpoint', tenant: 'acme', scope: 'job-7/chk-42', dek: '07'.repeat(16), keyfold: '1' });
  });

  test.each([
    ['another purpose', { ...CONTEXT, purpose: 'field' }],
    ['no purpose', { tenant: 'acme' }],
    ['a key of the name keyfold', { ...CONTEXT, keyfold: '2' }],
    ['a lone surrogate', { ...CONTEXT, tenant: '\ud800' }],
    ['more than 4,096 bytes', { ...CONTEXT, scope: 'x'.repeat(4_096) }],
  ])('refuses %s: two contexts would become one, or none that AWS takes', async (_, context) => {
    await failure('INVALID_ARGUMENT', () => awsContext(context));
  });

  test('different wrap contexts stay different', () => {
    const names = fc.dictionary(fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,10}$/).filter((key) => key !== 'purpose' && key !== 'keyfold'), fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => text.isWellFormed()), { maxKeys: 6, noNullPrototype: true });
    fc.assert(
      fc.property(names, names, (a, b) => {
        const same = JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
        const [nativeA, nativeB] = [a, b].map((each) => JSON.stringify(Object.entries(awsContext({ purpose: 'wrap', ...each })).sort()));
        expect(nativeA === nativeB).toBe(same);
      }),
    );
  });
});
