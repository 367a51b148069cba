import { beforeAll, expect, test } from 'vitest';
import { flipBit } from '../../test/support/flip-bit.ts';
import { forgeMachine, type ForgedMachine, type ForgeOptions } from '../../test/support/forge-quote.ts';
import { verifyQuote } from './verify-quote.ts';

const day = 86_400_000;
const reportData = Buffer.alloc(64, 0x42);
let machine: ForgedMachine;
beforeAll(() => {
  machine = forgeMachine();
});

function verify(of: ForgedMachine, changes: { verifiedAtMs?: number; quote?: Buffer; rootCaDer?: Uint8Array } = {}) {
  const { quote = of.quote(reportData), rootCaDer = of.rootDer, verifiedAtMs = Date.now() } = changes;
  return verifyQuote({ quote: quote.toString('base64'), collateral: of.collateral, verifiedAtMs }, { rootCaDer });
}

test('a genuine quote tells what it is about', async () => {
  const quote = await verify(machine);
  expect(quote).toMatchObject({ kind: 'tdx', tcbStatus: 'UpToDate', advisoryIds: [], reportData });
  expect(quote.measurements).toMatchObject({ mrTd: machine.mrTd, rtMr3: '03'.repeat(48) });
});

test('an outdated platform is told, with its advisories', async () => {
  const outdated = forgeMachine({ tcbStatus: 'OutOfDate' });
  expect(await verify(outdated)).toMatchObject({ tcbStatus: 'OutOfDate', advisoryIds: ['INTEL-SA-00000'] });
});

test.each<[string, ForgeOptions, string]>([
  ['a machine in debug mode', { isDebug: true }, 'Debug mode'],
  ['a revoked platform', { isRevoked: true }, 'revoked'],
  ['a revoked TCB', { tcbStatus: 'Revoked' }, 'Revoked'],
  ['a revocation list of somebody else', { hasStrangeList: true }, 'not signed by its authority'],
  ['collateral of another time', { validity: [Date.now() - 9 * day, Date.now() - day] }, 'out of date'],
])('%s is refused', async (_, options, reason) => {
  await expect(verify(forgeMachine(options))).rejects.toThrow(reason);
});

test('every part of a quote is signed: no byte of header, report, key or certificate may differ', async () => {
  const quote = machine.quote(reportData);
  // Version, TEE type, MRTD, report data, signature, attestation key, the quoting enclave's report, its signature, a certificate.
  for (const at of [0, 4, 200, 600, 640, 710, 780, 1_180, 1_400]) {
    await expect(verify(machine, { quote: flipBit(quote, at) }), `byte ${at}`).rejects.toMatchObject({
      code: 'verification_failed',
    });
  }
});

test('a root that is not trusted vouches for nothing; by default that is any but Intel’s', async () => {
  const attestation = {
    quote: machine.quote(reportData).toString('base64'),
    ...{ collateral: machine.collateral, verifiedAtMs: Date.now() },
  };
  await expect(verifyQuote(attestation)).rejects.toMatchObject({ code: 'verification_failed' });
  await expect(verify(machine, { rootCaDer: forgeMachine().rootDer })).rejects.toThrow('not genuine');
});

test('what is no quote is refused too', async () => {
  await expect(verify(machine, { quote: Buffer.from('nothing') })).rejects.toMatchObject({
    code: 'verification_failed',
  });
});
