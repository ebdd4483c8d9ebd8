import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import type { Clock } from '@keyfold/core/provider';
import { deliver, HTML_503, losesRequest, type Answer } from '../faults/answer.ts';
import type { Fault } from '../faults/fault.ts';
import type { FaultControls } from '../faults/fault-controls.ts';
import { readBody } from '../http/read-body.ts';
import type { RequestLog } from '../http/request-log.ts';
import { authenticate } from './auth/authenticate.ts';
import type { Principals } from './auth/principals.ts';
import { faultError, withKeyFault } from './aws-faults.ts';
import type { KmsState } from './keys/kms-state.ts';
import { Call } from './operations/call.ts';
import { OPERATIONS } from './operations/index.ts';
import type { Operation } from './operations/operation.ts';
import { AwsError } from './wire/aws-error.ts';
import { encodeOutput } from './wire/encode-output.ts';

/** Larger than any request of the API, whose key policies have up to 128 KiB. */
const MAX_REQUEST_BYTES = 256 * 1024;
const TARGET_PREFIX = 'TrentService.';

/** What the endpoint works with. */
export interface EndpointParts {
  readonly state: KmsState;
  readonly principals: Principals;
  readonly faults: FaultControls;
  readonly requests: RequestLog;
  /** Dates keys and drives rotation and deletion. */
  readonly clock: Clock;
  /** Judges signatures and credentials, and dates answers. */
  readonly signingClock: Clock;
  /** Fires when the server closes. */
  readonly closing: AbortSignal;
}

/** One request on its way through the endpoint. */
interface Exchange {
  readonly at: number;
  readonly requestId: string;
  readonly operation: string;
  call: Call | undefined;
  fault: Fault | undefined;
}

/** What became of a request, as the request log names it, and what is to be sent. */
interface Result {
  readonly outcome: string;
  readonly answer: Answer;
}

/** The awsJson1.1 endpoint of the server. */
export class Endpoint {
  readonly #parts: EndpointParts;

  constructor(parts: EndpointParts) {
    this.#parts = parts;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = String(request.headers['x-amz-target'] ?? '');
    const exchange: Exchange = {
      at: this.#parts.signingClock.now(),
      requestId: randomUUID(),
      operation: target.startsWith(TARGET_PREFIX) ? target.slice(TARGET_PREFIX.length) : target,
      call: undefined,
      fault: undefined,
    };
    const body = await readBody(request, MAX_REQUEST_BYTES);
    const { outcome, answer } = await this.#process(request, body, exchange);
    const headers = {
      'content-type': 'application/x-amz-json-1.1',
      'x-amzn-requestid': exchange.requestId,
      date: new Date(exchange.at).toUTCString(),
      ...answer.headers,
    };
    // Logged first: whoever has the answer finds the request in the log.
    this.#log(exchange, outcome, answer.status);
    deliver(response, { ...answer, headers }, exchange.fault);
  }

  async #process(request: IncomingMessage, body: Buffer | undefined, exchange: Exchange): Promise<Result> {
    try {
      const operation = findOperation(request, exchange.operation);
      if (body === undefined) throw new AwsError('RequestEntityTooLargeException', '', 413);
      exchange.call = await this.#authenticate(request, body, exchange);
      const early = await this.#meetFault(exchange);
      if (early !== undefined) return early;
      const output = this.#run(operation, exchange.call, body);
      return { outcome: 'ok', answer: { status: 200, headers: {}, body: encodeOutput(withKeyFault(output, exchange.fault)) } };
    } catch (error) {
      if (error instanceof AwsError) return refused(error);
      throw error;
    }
  }

  async #authenticate(request: IncomingMessage, body: Buffer, exchange: Exchange): Promise<Call> {
    const { state, principals } = this.#parts;
    const { principal, region } = await authenticate(request, body, { principals, state, now: exchange.at });
    return new Call(state, region, principal);
  }

  /** Waits, if the request meets a latency; the result, if it meets a fault that stands in for carrying it out. */
  async #meetFault(exchange: Exchange): Promise<Result | undefined> {
    const { latencyMs, fault } = this.#parts.faults.take(exchange.operation);
    exchange.fault = fault;
    if (latencyMs > 0) await wait(latencyMs, undefined, { signal: this.#parts.closing });
    if (fault === undefined) return undefined;
    if (fault.kind === 'html-503') return { outcome: 'HTTP 503', answer: HTML_503 };
    if (losesRequest(fault)) return { outcome: 'not carried out', answer: HTML_503 };
    const error = faultError(fault);
    return error === undefined ? undefined : refused(error);
  }

  /** In one go, so that no two requests see each other half done. */
  #run(operation: Operation, call: Call, body: Buffer): ReturnType<Operation['run']> {
    call.now = this.#parts.clock.now();
    this.#parts.state.settle(call.now);
    return operation.run(call, body);
  }

  #log({ at, requestId, operation, call, fault }: Exchange, outcome: string, status: number): void {
    const unanswered = fault?.kind === 'hang' || fault?.kind === 'reset' || fault?.kind === 'truncate';
    this.#parts.requests.add({
      at,
      requestId,
      operation,
      principal: call?.principal.arn,
      region: call?.region.name,
      keys: call?.keys ?? [],
      encryptionContext: call?.encryptionContext,
      outcome,
      status: unanswered ? undefined : status,
      fault: fault?.kind,
    });
  }
}

function findOperation(request: IncomingMessage, name: string): Operation {
  const operation = request.method === 'POST' ? OPERATIONS.get(name) : undefined;
  if (operation === undefined) throw new AwsError('UnknownOperationException');
  return operation;
}

function refused(error: AwsError): Result {
  const body = JSON.stringify({ __type: error.type, ...(error.message === '' ? {} : { message: error.message }) });
  return { outcome: error.type, answer: { status: error.status, headers: {}, body } };
}
