import { describe, expect, it } from 'vitest';
import { ipfsSchema } from './ipfs-section.ts';

const service = { name: 'one', endpoint: 'https://psa.example', tokenEnv: 'ONE_TOKEN' };

describe('audit.ipfs', () => {
  it('is nobody by default, and holds up no anchor', () => {
    expect(ipfsSchema.parse({})).toEqual({
      ...{ required: false, intervalSeconds: 5, timeoutSeconds: 30, recheckSeconds: 86_400, services: [] },
    });
  });

  it('takes services by https, or on the same host', () => {
    for (const endpoint of ['https://psa.example/psa/', 'http://127.0.0.1:9097', 'http://localhost:9097']) {
      const parsed = ipfsSchema.parse({ services: [{ ...service, endpoint }] });
      expect(parsed.services).toEqual([
        { ...service, endpoint: endpoint.replace(/\/$/, ''), intervalSeconds: 3600, origins: [] },
      ]);
    }
  });

  it.each([
    [{ services: [{ ...service, endpoint: 'http://psa.example' }] }],
    [{ services: [{ ...service, name: 'One' }] }],
    [{ services: [{ ...service, origins: ['dns4/x'] }] }],
    [{ apiUrl: 'http://user:word@127.0.0.1:5001' }],
    [{ pin: true }],
  ])('%j is refused', (ipfs) => {
    expect(ipfsSchema.safeParse(ipfs).success).toBe(false);
  });
});
