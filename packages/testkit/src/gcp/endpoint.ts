import { randomUUID } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { setTimeout as wait } from 'node:timers/promises';
import type { Clock } from '@keyfold/core/provider';
import type { Service, Type } from 'protobufjs';
import { losesRequest } from '../faults/answer.ts';
import type { Fault } from '../faults/fault.ts';
import type { FaultControls } from '../faults/fault-controls.ts';
import type { RequestLog } from '../http/request-log.ts';
import type { Principals } from './auth/principals.ts';
import { faultError, withAnswerFault } from './gcp-faults.ts';
import type { KmsState } from './keys/kms-state.ts';
import { Call } from './operations/call.ts';
import { OPERATIONS } from './operations/index.ts';
import { Fields } from './wire/fields.ts';
import { GcpError, invalidArgument, unimplemented } from './wire/gcp-error.ts';
import type { CallResult, IncomingCall } from './wire/grpc-endpoint.ts';

/** What the endpoint works with. */
export interface EndpointParts {
  readonly service: Service;
  readonly state: KmsState;
  readonly principals: Principals;
  readonly faults: FaultControls;
  readonly requests: RequestLog;
  /** Dates keys and drives generation, rotation and destruction. */
  readonly clock: Clock;
  /** Judges the expiry of tokens. */
  readonly tokenClock: Clock;
  /** Fires when the server closes. */
  readonly closing: AbortSignal;
}

/** One request on its way through the endpoint. */
interface Exchange {
  readonly at: number;
  readonly requestId: string;
  readonly incoming: IncomingCall;
  call: Call | undefined;
  fault: Fault | undefined;
}

/** What became of a request, as the request log names it, and what is to be sent. */
interface Outcome {
  readonly outcome: string;
  readonly result: CallResult;
}

/** Carries the requests of the service out, with whatever faults they meet. */
export class Endpoint {
  readonly #parts: EndpointParts;

  constructor(parts: EndpointParts) {
    this.#parts = parts;
  }

  async handle(incoming: IncomingCall): Promise<CallResult> {
    const exchange: Exchange = { at: this.#parts.tokenClock.now(), requestId: randomUUID(), incoming, call: undefined, fault: undefined };
    const { outcome, result } = await this.#process(exchange);
    const delivered = withConnectionFault(result, exchange.fault);
    // Logged first: whoever has the answer finds the request in the log.
    this.#log(exchange, outcome, delivered);
    return delivered;
  }

  async #process(exchange: Exchange): Promise<Outcome> {
    try {
      const { state, principals } = this.#parts;
      exchange.call = new Call(state, principals.find(exchange.incoming.authorization, exchange.at));
      const early = await this.#meetFault(exchange);
      if (early !== undefined) return early;
      return { outcome: 'ok', result: { kind: 'answer', body: this.#run(exchange.call, exchange) } };
    } catch (error) {
      if (error instanceof GcpError) return refused(error);
      throw error;
    }
  }

  /** Waits, if the request meets a latency; the result, if it meets a fault that stands in for carrying it out. */
  async #meetFault(exchange: Exchange): Promise<Outcome | undefined> {
    const { latencyMs, fault } = this.#parts.faults.take(exchange.incoming.operation);
    exchange.fault = fault;
    if (latencyMs > 0) await wait(latencyMs, undefined, { signal: this.#parts.closing });
    if (fault === undefined) return undefined;
    if (losesRequest(fault)) return { outcome: 'not carried out', result: { kind: 'nothing' } };
    const error = faultError(fault);
    return error === undefined ? undefined : refused(error);
  }

  /** In one go, so that no two requests see each other half done. */
  #run(call: Call, { incoming, fault }: Exchange): Buffer {
    const operation = OPERATIONS.get(incoming.operation);
    if (operation === undefined) throw unimplemented(incoming.operation);
    const { request, answer } = messageTypes(this.#parts.service, incoming.operation);
    call.now = this.#parts.clock.now();
    this.#parts.state.settle(call.now);
    const output = operation(call, decoded(request, incoming.body));
    return Buffer.from(answer.encode(answer.fromObject(withAnswerFault(output, fault))).finish());
  }

  #log({ at, requestId, incoming, call, fault }: Exchange, outcome: string, delivered: CallResult): void {
    this.#parts.requests.add({
      at,
      requestId,
      operation: incoming.operation,
      principal: call?.principal.name,
      region: call?.location,
      keys: call?.keys ?? [],
      encryptionContext: undefined,
      outcome,
      status: delivered.kind === 'status' ? status[delivered.code] : delivered.kind === 'answer' ? status.OK : undefined,
      fault: fault?.kind,
    });
  }
}

function messageTypes(service: Service, operation: string): { readonly request: Type; readonly answer: Type } {
  const { resolvedRequestType: request, resolvedResponseType: answer } = service.methods[operation] ?? {};
  if (!request || !answer) throw unimplemented(operation);
  return { request, answer };
}

/** Fields that the contract does not have are dropped unseen, as Cloud KMS does. */
function decoded(type: Type, body: Buffer): Fields {
  try {
    return new Fields(type.toObject(type.decode(body), { longs: Number, enums: String }));
  } catch {
    throw invalidArgument('Request proto is malformed.');
  }
}

function withConnectionFault(result: CallResult, fault: Fault | undefined): CallResult {
  if (fault?.kind === 'hang') return { kind: 'nothing' };
  if (fault?.kind === 'reset') return { kind: 'reset' };
  if (fault?.kind !== 'truncate' || result.kind !== 'answer') return result;
  return { kind: 'answer', body: result.body.subarray(0, Math.min(fault.bytes ?? Math.floor(result.body.length / 2), result.body.length - 1)) };
}

function refused(error: GcpError): Outcome {
  return { outcome: error.code, result: { kind: 'status', code: error.code, message: error.message } };
}
