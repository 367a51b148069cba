import express from 'express';
import { expect, test } from 'vitest';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import { createModelHandler } from './answer-model.ts';
import { listen } from './listen.ts';

test('one model is found by its name, slashes as they are or encoded', async () => {
  const data = [{ id: 'small' }, { id: 'meta-llama/big:free', pricing: [] }];
  const app = express();
  const answer = { object: 'list' as const, data, price_root: '0x00' as const, tokens: [] };
  app.get(
    '/v1/models/*model',
    createModelHandler(() => answer),
  );
  app.use((error: unknown, _: unknown, response: express.Response, _next: unknown) => {
    response.status(404).json({ code: error instanceof AutoPayError ? error.code : 'none' });
  });
  const { server, url } = await listen(app, { host: '127.0.0.1', port: 0 });
  try {
    const get = async (name: string): Promise<unknown> => (await fetch(`${url}/v1/models/${name}`)).json();
    expect(await get('small')).toEqual({ id: 'small' });
    for (const name of ['meta-llama/big:free', encodeURIComponent('meta-llama/big:free')])
      expect(await get(name)).toEqual({ id: 'meta-llama/big:free', pricing: [] });
    expect(await get('nowhere')).toEqual({ code: 'model_not_found' });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
