import type { IncomingMessage, ServerResponse } from 'node:http';
import { isKeyfoldError } from '@keyfold/core/provider';
import type { Fault } from '../faults/fault.ts';
import type { FaultControls, InjectedFault } from '../faults/fault-controls.ts';
import { LoopbackServer } from '../http/loopback-server.ts';
import { readBody } from '../http/read-body.ts';
import type { RequestLog } from '../http/request-log.ts';
import type { ShiftedClock } from './shifted-clock.ts';

/** What can be controlled from outside the process. */
export interface Controlled {
  readonly faults: FaultControls;
  readonly requests: RequestLog;
  readonly clock: ShiftedClock;
}

interface Reply {
  readonly status: number;
  readonly body?: object;
}

const MAX_BODY_BYTES = 64 * 1024;

/**
 * Faults, request log and clock of a local server over HTTP, for tests in other processes and
 * languages. It has a port of its own, because the servers speak several protocols.
 */
export class ControlServer {
  readonly #http: LoopbackServer;

  private constructor(http: LoopbackServer) {
    this.#http = http;
  }

  /** @throws KeyfoldError CONFIG_INVALID when the port is not to be had */
  static async start(port: number, controlled: Controlled): Promise<ControlServer> {
    return new ControlServer(await LoopbackServer.start(port, (request, response) => answer(request, response, controlled)));
  }

  get endpoint(): string {
    return this.#http.endpoint;
  }

  close(): Promise<void> {
    return this.#http.close();
  }
}

async function answer(request: IncomingMessage, response: ServerResponse, controlled: Controlled): Promise<void> {
  const body = await readBody(request, MAX_BODY_BYTES);
  const reply = isFromBrowser(request)
    ? { status: 403, body: { error: 'Web pages may not control this server.' } }
    : route(request, body, controlled);
  const text = reply.body === undefined ? '' : `${JSON.stringify(reply.body)}\n`;
  response.writeHead(reply.status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

/** Pages of any site can send requests to the loopback address, under its number or a name of theirs. */
function isFromBrowser({ headers }: IncomingMessage): boolean {
  const host = (headers.host ?? '').replace(/:\d+$/, '');
  return headers.origin !== undefined || headers['sec-fetch-site'] !== undefined || !['127.0.0.1', 'localhost'].includes(host);
}

function route(request: IncomingMessage, body: Buffer | undefined, { faults, requests, clock }: Controlled): Reply {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1');
  switch (`${request.method ?? ''} ${url.pathname}`) {
    case 'GET /faults':
      return { status: 200, body: { faults: faults.list().map(shown) } };
    case 'POST /faults':
      return withJson(body, (fault) => ({ status: 201, body: shown(faults.inject(fault as Fault)) }));
    case 'DELETE /faults':
      faults.clear();
      return { status: 204 };
    case 'GET /requests':
      return { status: 200, body: { requests: requests.list(url.searchParams.get('operation') ?? undefined) } };
    case 'DELETE /requests':
      requests.clear();
      return { status: 204 };
    case 'GET /clock':
      return { status: 200, body: { now: clock.now() } };
    case 'POST /clock':
      return withJson(body, (value) => advance(clock, value));
    default:
      return { status: 404, body: { error: 'There are /faults, /requests and /clock.' } };
  }
}

function shown({ fault, hits }: InjectedFault): object {
  return { fault, hits };
}

function withJson(body: Buffer | undefined, act: (value: unknown) => Reply): Reply {
  let value: unknown;
  try {
    value = JSON.parse(body?.toString('utf8') ?? '');
  } catch {
    return { status: 400, body: { error: `The body must be JSON of at most ${MAX_BODY_BYTES} bytes.` } };
  }
  try {
    return act(value);
  } catch (error) {
    if (isKeyfoldError(error)) return { status: 400, body: { error: error.message } };
    throw error;
  }
}

function advance(clock: ShiftedClock, value: unknown): Reply {
  const ms = typeof value === 'object' && value !== null && 'advanceMs' in value ? value.advanceMs : undefined;
  if (typeof ms !== 'number' || !Number.isSafeInteger(ms) || ms < 0) {
    return { status: 400, body: { error: 'advanceMs must be a whole number of milliseconds, 0 or more.' } };
  }
  clock.advance(ms);
  return { status: 200, body: { now: clock.now() } };
}
