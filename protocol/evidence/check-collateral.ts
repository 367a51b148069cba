import { verify, X509Certificate } from 'node:crypto';
import type { Collateral } from './evidence-document.ts';

/** A revocation list (RFC 5280 §5.1), as far as it is looked at. */
interface RevocationList {
  /** The signed bytes. */
  signed: Buffer;
  /** DER. */
  signature: Buffer;
  /** Unix milliseconds. */
  thisUpdateMs: number;
  nextUpdateMs: number;
}

/**
 * What `@phala/dcap-qvl` 0.3.9 leaves out, which would let whoever brings the collateral hide a revocation: that each revocation list
 * is signed by its authority and not out of date, that the list of platform certificates is the one of the quote's own authority, and
 * that only authorities issue certificates.
 *
 * @param pckChain PEM: the certificate that signed the quoting enclave, and its issuers
 * @throws Error that says what is wrong
 */
export function checkCollateral(
  collateral: Collateral,
  { pckChain, rootCaDer, nowMs }: { pckChain: string; rootCaDer: Uint8Array; nowMs: number },
): void {
  const root = new X509Certificate(rootCaDer);
  const [pckAuthority] = readChain(pckChain).slice(1);
  const chains = [pckChain, collateral.tcb_info_issuer_chain, collateral.qe_identity_issuer_chain].map(readChain);
  for (const issuer of chains.flatMap(([, ...issuers]) => issuers)) requireAuthority(issuer);
  const [crlAuthority, ...above] = readChain(collateral.pck_crl_issuer_chain);
  if (!pckAuthority || !crlAuthority || !samePublicKey(pckAuthority, crlAuthority)) {
    throw new Error('the revocation list is not of the authority that issued the platform’s certificate');
  }
  requireAuthority(crlAuthority);
  for (const [index, certificate] of [crlAuthority, ...above].entries()) {
    const issuer = above[index] ?? root;
    if (!certificate.verify(issuer.publicKey)) throw new Error('the authority of a revocation list is not vouched for');
    requireValid(certificate, nowMs);
  }
  requireList(readList(Buffer.from(collateral.root_ca_crl, 'hex')), root, nowMs);
  requireList(readList(Buffer.from(collateral.pck_crl, 'hex')), crlAuthority, nowMs);
}

/** The certificates of PEM text, in its order. */
export function readChain(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

function requireAuthority(certificate: X509Certificate): void {
  if (!certificate.ca) throw new Error('a certificate was issued by one that is no authority');
}

function requireValid(certificate: X509Certificate, nowMs: number): void {
  if (nowMs >= certificate.validFromDate.getTime() && nowMs <= certificate.validToDate.getTime()) return;
  throw new Error('the authority of a revocation list is out of date');
}

function requireList(list: RevocationList, authority: X509Certificate, nowMs: number): void {
  if (!verify('sha256', list.signed, authority.publicKey, list.signature)) {
    throw new Error('a revocation list is not signed by its authority');
  }
  if (nowMs >= list.thisUpdateMs && nowMs <= list.nextUpdateMs) return;
  const [from, until] = [list.thisUpdateMs, list.nextUpdateMs].map((timeMs) => new Date(timeMs).toISOString());
  throw new Error(`a revocation list is out of date: it was good from ${from} until ${until}`);
}

function samePublicKey(left: X509Certificate, right: X509Certificate): boolean {
  return left.publicKey.equals(right.publicKey);
}

/** CertificateList: the signed part, the algorithm, and the signature. */
function readList(der: Buffer): RevocationList {
  const [list] = readElements(der);
  const [tbs, , signature] = readElements(list?.value ?? Buffer.alloc(0));
  if (!tbs || signature?.tag !== 0x03) throw new Error('a revocation list cannot be read');
  // An optional version, the algorithm, the issuer, then both times.
  const times = readElements(tbs.value).filter(({ tag }) => tag === 0x17 || tag === 0x18);
  const [thisUpdate, nextUpdate] = times.map(readTime);
  if (thisUpdate === undefined || nextUpdate === undefined) throw new Error('a revocation list has no times');
  // A bit string says first how many bits of its last byte are unused: none.
  return {
    ...{ signed: tbs.whole, signature: signature.value.subarray(1) },
    ...{ thisUpdateMs: thisUpdate, nextUpdateMs: nextUpdate },
  };
}

interface Element {
  tag: number;
  value: Buffer;
  /** With its tag and length. */
  whole: Buffer;
}

/** The elements of a DER value, one after the other. */
function readElements(der: Buffer): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < der.length;) {
    const first = der[at + 1] ?? 0;
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
    if (lengthBytes > 4 || at + 2 + lengthBytes > der.length) throw new Error('a revocation list is no DER');
    const length = lengthBytes === 0 ? first : der.readUIntBE(at + 2, lengthBytes);
    const from = at + 2 + lengthBytes;
    if (from + length > der.length) throw new Error('a revocation list is cut off');
    elements.push({
      tag: der[at] ?? 0,
      value: der.subarray(from, from + length),
      whole: der.subarray(at, from + length),
    });
    at = from + length;
  }
  return elements;
}

/** UTCTime and GeneralizedTime (RFC 5280 §4.1.2.5), in milliseconds. */
function readTime({ tag, value }: Element): number {
  const text = value.toString('latin1');
  const century = tag === 0x18 ? '' : Number(text.slice(0, 2)) < 50 ? '20' : '19';
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(century + text) ?? [];
  const [year = NaN, month = NaN, day = NaN, hour = NaN, minute = NaN, second = NaN] = parts.map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}
