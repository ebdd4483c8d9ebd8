import { Readable } from 'node:stream';
import type { KMSClient, ServiceInputTypes, ServiceOutputTypes } from '@aws-sdk/client-kms';
import { COMMON_ERRORS, declaredErrors, operationSchema, violations } from './sdk-schema.ts';

interface WireRequest {
  readonly headers: Readonly<Record<string, string>>;
}

interface WireResponse {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  body: AsyncIterable<Buffer>;
}

/** A step of the SDK's middleware between the wire and the deserializer. */
type Handler = (args: { input: ServiceInputTypes; request: unknown }) => Promise<{ response: unknown; output: ServiceOutputTypes }>;

/** Holds every answer that the client gets against the SDK's schemas, before the SDK reads it. */
export function checkAnswers(client: KMSClient): void {
  client.middlewareStack.addRelativeTo(
    (next: Handler): Handler => async (args) => {
      const result = await next(args);
      const response = result.response as WireResponse;
      const chunks: Buffer[] = [];
      for await (const chunk of response.body) chunks.push(chunk);
      const { headers } = args.request as WireRequest;
      const broken = breaches((headers['x-amz-target'] ?? '').replace('TrentService.', ''), response, Buffer.concat(chunks));
      if (broken.length > 0) throw new Error(`The server broke the contract: ${broken.join('; ')}`);
      response.body = Readable.from([Buffer.concat(chunks)]);
      return result;
    },
    { relation: 'after', toMiddleware: 'deserializerMiddleware', name: 'checkAnswers' },
  );
}

/** What an answer has against the contract. */
export function breaches(operation: string, { statusCode, headers }: Pick<WireResponse, 'statusCode' | 'headers'>, body: Buffer): string[] {
  if (headers['content-type'] !== 'application/x-amz-json-1.1') return [`the content type is ${String(headers['content-type'])}`];
  if (!/^[0-9a-f-]{36}$/.test(headers['x-amzn-requestid'] ?? '')) return ['there is no request id'];
  const value = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
  if (statusCode === 200) return violations(operationSchema(operation).output, value, operation);
  const { __type: type, ...rest } = value;
  const allowed = [...COMMON_ERRORS, ...declaredErrors(operation)];
  return [
    ...(typeof type === 'string' && allowed.includes(type) ? [] : [`${operation} does not declare ${String(type)}`]),
    ...Object.entries(rest).flatMap(([name, each]) =>
      name === 'message' && typeof each === 'string' ? [] : [`the error has ${name}`],
    ),
  ];
}
