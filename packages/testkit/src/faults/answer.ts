import type { ServerResponse } from 'node:http';
import type { Fault } from './fault.ts';

/** An HTTP answer, before faults of the connection. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What a load balancer says when nothing behind it answers. */
export const HTML_503: Answer = {
  status: 503,
  headers: { 'content-type': 'text/html' },
  body: '<html><head><title>503 Service Unavailable</title></head><body><h1>503 Service Unavailable</h1></body></html>\n',
};

/** Whether the fault loses the request before it is carried out. */
export function losesRequest(fault: Fault | undefined): boolean {
  return (fault?.kind === 'hang' || fault?.kind === 'reset') && fault.when !== 'after';
}

/** Sends an answer, or treats the connection as the fault says. */
export function deliver(response: ServerResponse, answer: Answer, fault: Fault | undefined): void {
  if (fault?.kind === 'hang') return;
  if (fault?.kind === 'reset') response.socket?.resetAndDestroy();
  else if (fault?.kind === 'truncate') sendTruncated(response, answer, fault.bytes);
  else sendWhole(response, answer);
}

function sendWhole(response: ServerResponse, answer: Answer): void {
  const body = Buffer.from(answer.body, 'utf8');
  response.writeHead(answer.status, { ...answer.headers, 'content-length': body.length });
  response.end(body);
}

/** Promises the whole answer in its headers, and ends the connection within the body. */
function sendTruncated(response: ServerResponse, answer: Answer, bytes: number | undefined): void {
  const body = Buffer.from(answer.body, 'utf8');
  const sent = body.subarray(0, Math.min(bytes ?? Math.floor(body.length / 2), body.length - 1));
  response.writeHead(answer.status, { ...answer.headers, 'content-length': body.length });
  response.flushHeaders();
  response.write(sent, () => response.socket?.destroy());
}
