import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cidOfBlock } from '../protocol/log/batch-block.ts';
import { serveHttp, type ServedHttp } from '../test/support/serve-http.ts';
import { createGatewaySource } from './gateway-source.ts';

const block = Buffer.from('a block');
const cid = cidOfBlock(block);
let gateway: ServedHttp;
let url: string;
let status: number;
let asked: string[];
let sent: Buffer;

beforeEach(async () => {
  status = 200;
  asked = [];
  sent = block;
  gateway = await serveHttp((request, response) => {
    asked.push(`${request.url} ${request.headers.accept}`);
    response.writeHead(status).end(sent);
  });
  ({ url } = gateway);
});
afterEach(() => gateway.stop());

describe('a gateway as a source of blocks', () => {
  it('is asked for raw blocks', async () => {
    expect(Buffer.from((await createGatewaySource(url).get(cid)) ?? [])).toEqual(block);
    expect(asked).toEqual([`/ipfs/${cid.toString()}?format=raw application/vnd.ipld.raw`]);
  });

  it('may not have the block, may fail, and may not send without end', async () => {
    status = 404;
    expect(await createGatewaySource(url).get(cid)).toBeUndefined();
    status = 500;
    await expect(createGatewaySource(url).get(cid)).rejects.toMatchObject({ code: 'upstream_error' });
    status = 200;
    sent = Buffer.alloc(1_000_001);
    await expect(createGatewaySource(url).get(cid)).rejects.toThrow(/more than/);
  });

  it('is named by a URL', () => {
    expect(() => createGatewaySource('nowhere')).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  });
});
