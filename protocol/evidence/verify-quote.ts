import type { QuoteVerifier, Report } from '@phala/dcap-qvl';
import { AutoPayError } from '../errors/auto-pay-error.ts';
import { checkCollateral } from './check-collateral.ts';
import type { Attestation } from './evidence-document.ts';

/** The measurements of a quote that can be pinned; of SGX the last two, of TDX the others. */
export const measurementNames = [
  ...(['mrTd', 'rtMr0', 'rtMr1', 'rtMr2', 'rtMr3', 'mrConfigId'] as const),
  ...(['mrEnclave', 'mrSigner'] as const),
] as const;

/** Measurements, lower-case hexadecimal without 0x. */
export type Measurements = Partial<Record<(typeof measurementNames)[number], string>>;

/** What a quote says that was found genuine. */
export interface VerifiedQuote {
  kind: 'sgx' | 'tdx';
  /** Intel's word for the state of platform and quoting enclave, the worse of the two; `UpToDate` is the best. */
  tcbStatus: string;
  advisoryIds: readonly string[];
  measurements: Measurements;
  /** 64 bytes that the code inside chose. */
  reportData: Buffer;
}

/**
 * Checks an SGX or TDX quote with its collateral, as of the time that the document names: the chain to Intel's root (or another), both
 * revocation lists, TCB info, QE identity, and the signatures. Debug mode and a revoked TCB are refused; an outdated one is told.
 *
 * The package is loaded at the first use: who has no quotes does not pay for it.
 *
 * @param rootCaDer another root than Intel's, DER
 * @throws AutoPayError `verification_failed`, with the reason
 */
export async function verifyQuote(
  attestation: Pick<Attestation, 'collateral' | 'quote' | 'verifiedAtMs'>,
  { rootCaDer }: { rootCaDer?: Uint8Array | undefined } = {},
): Promise<VerifiedQuote> {
  const { constants, Quote, QuoteVerifier: Verifier } = await import('@phala/dcap-qvl');
  const { collateral, verifiedAtMs } = attestation;
  const root = Buffer.from(rootCaDer ?? constants.TRUSTED_ROOT_CA_DER);
  try {
    const quote = Buffer.from(attestation.quote, 'base64');
    const pckChain =
      collateral.pck_certificate_chain ?? Buffer.from(Quote.parse(quote).rawCertChain()).toString('utf8');
    checkCollateral(collateral, { pckChain, rootCaDer: root, nowMs: verifiedAtMs });
    const verifier: QuoteVerifier = Verifier.newWithRootCa(root);
    const {
      advisory_ids: advisoryIds,
      report,
      status,
    } = verifier.verify(quote, collateral, Math.floor(verifiedAtMs / 1_000));
    return { ...readReport(report), tcbStatus: status, advisoryIds };
  } catch (cause) {
    const message = `The quote is not genuine: ${reasonOf(cause)}.`;
    throw new AutoPayError('verification_failed', message, { cause });
  }
}

function readReport(report: Report): Pick<VerifiedQuote, 'kind' | 'measurements' | 'reportData'> {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
  const sgx = report.asSgx();
  if (sgx) {
    const measurements = { mrEnclave: hex(sgx.mrEnclave), mrSigner: hex(sgx.mrSigner) };
    return { kind: 'sgx', measurements, reportData: Buffer.from(sgx.reportData) };
  }
  const tdx = report.asTd15()?.base ?? report.asTd10();
  if (!tdx) throw new Error('its report is of an unknown kind');
  const { mrConfigId, mrTd, reportData, rtMr0, rtMr1, rtMr2, rtMr3 } = tdx;
  const measurements = { mrTd, rtMr0, rtMr1, rtMr2, rtMr3, mrConfigId };
  return {
    kind: 'tdx',
    measurements: Object.fromEntries(Object.entries(measurements).map(([name, bytes]) => [name, hex(bytes)])),
    reportData: Buffer.from(reportData),
  };
}

/** The message with its causes, as one line. */
function reasonOf(error: unknown): string {
  const messages: string[] = [];
  for (let at: unknown = error; at instanceof Error && messages.length < 4; at = at.cause) messages.push(at.message);
  return messages.join(': ').replaceAll(/\s+/g, ' ').slice(0, 300) || 'it cannot be read';
}
