import { createHash, sign } from 'node:crypto';
import type { Collateral } from '../../protocol/evidence/evidence-document.ts';
import {
  certify,
  der,
  integer,
  newKey,
  octets,
  oid,
  rawPublicKey,
  revoke,
  sequence,
  signRaw,
  toPem,
  type Certified,
} from './forge-certificates.ts';

/** What a made-up machine is like. */
export interface ForgeOptions {
  /** Intel's word for the platform's state. */
  tcbStatus?: string;
  isDebug?: boolean;
  /** Whether the platform's certificate is revoked. */
  isRevoked?: boolean;
  /** Whether the list that would say so is signed by somebody else. */
  hasStrangeList?: boolean;
  /** When all certificates, lists and TCB info begin and end to be good. */
  validity?: readonly [fromMs: number, untilMs: number];
}

/** A made-up TDX machine under a made-up root. */
export interface ForgedMachine {
  /** PEM of the root. */
  rootPem: string;
  rootDer: Buffer;
  collateral: Collateral;
  /** Hexadecimal; what runs there. */
  mrTd: string;
  /** A version 4 quote about 64 bytes. */
  quote(reportData: Uint8Array): Buffer;
}

const day = 86_400_000;
const pckSerial = 7;
const sgx = (path: string) => oid(`1.2.840.113741.1.13.1${path}`);
const fmspc = Buffer.from('00906ed50000', 'hex');
const quotingSigner = Buffer.alloc(32, 0xd1);

/** Makes a machine whose quotes are genuine under its own root: what a test changes of it is all that is wrong. */
export function forgeMachine(options: ForgeOptions = {}): ForgedMachine {
  const validity = options.validity ?? ([Date.now() - 30 * day, Date.now() + 30 * day] as const);
  const root = certify({ name: 'Test Root CA', serial: 1, isAuthority: true, validity });
  const authority = certify({ name: 'Test PCK Platform CA', serial: 2, issuer: root, isAuthority: true, validity });
  const tcbSigner = certify({ name: 'Test TCB Signing', serial: 3, issuer: root, isAuthority: false, validity });
  const extensions = [sequence(sgx(''), octets(platformExtension()))];
  const pck = certify({
    name: 'Test PCK',
    serial: pckSerial,
    issuer: authority,
    isAuthority: false,
    validity,
    extensions,
  });
  const serials = options.isRevoked ? [pckSerial] : [];
  const key = options.hasStrangeList ? newKey().privateKey : authority.key;
  const issuers = toPem(tcbSigner, root);
  const tcbInfo = JSON.stringify(describeTcb(options, validity));
  const qeIdentity = JSON.stringify(describeQuotingEnclave(validity));
  const signHex = (text: string) => signRaw(Buffer.from(text), tcbSigner.key).toString('hex');
  const mrTd = 'ab'.repeat(48);
  return {
    ...{ mrTd, rootPem: toPem(root), rootDer: root.der },
    collateral: {
      pck_crl_issuer_chain: toPem(authority, root),
      root_ca_crl: revoke(root, { serials: [], validity }).toString('hex'),
      pck_crl: revoke(authority, { serials, validity, key }).toString('hex'),
      ...{ tcb_info_issuer_chain: issuers, tcb_info: tcbInfo, tcb_info_signature: signHex(tcbInfo) },
      ...{ qe_identity_issuer_chain: issuers, qe_identity: qeIdentity, qe_identity_signature: signHex(qeIdentity) },
    },
    quote: (reportData) => forgeQuote({ reportData, pck, chain: toPem(pck, authority, root), mrTd, options }),
  };
}

/** Intel's extension of a platform's certificate. */
function platformExtension(): Buffer {
  return sequence(
    sequence(sgx('.1'), octets(Buffer.alloc(16))),
    sequence(
      sgx('.2'),
      sequence(sequence(sgx('.2.17'), integer(11)), sequence(sgx('.2.18'), octets(Buffer.alloc(16, 5)))),
    ),
    sequence(sgx('.3'), octets(Buffer.alloc(2))),
    sequence(sgx('.4'), octets(fmspc)),
    sequence(sgx('.5'), der(0x0a, Buffer.from([0]))),
  );
}

const times = ([fromMs, untilMs]: readonly [number, number]) => ({
  issueDate: `${new Date(fromMs).toISOString().slice(0, 19)}Z`,
  nextUpdate: `${new Date(untilMs).toISOString().slice(0, 19)}Z`,
});

function describeTcb({ tcbStatus = 'UpToDate' }: ForgeOptions, validity: readonly [number, number]): object {
  const components = Array.from({ length: 16 }, () => ({ svn: 1 }));
  return {
    ...{ id: 'TDX', version: 3, ...times(validity), fmspc: fmspc.toString('hex'), pceId: '0000', tcbType: 0 },
    tcbEvaluationDataNumber: 17,
    tcbLevels: [
      {
        tcb: { sgxtcbcomponents: components, pcesvn: 11, tdxtcbcomponents: components },
        ...{ tcbDate: '2026-01-01T00:00:00Z', tcbStatus },
        ...(tcbStatus === 'UpToDate' ? {} : { advisoryIDs: ['INTEL-SA-00000'] }),
      },
    ],
  };
}

function describeQuotingEnclave(validity: readonly [number, number]): object {
  return {
    ...{ id: 'TD_QE', version: 2, ...times(validity), tcbEvaluationDataNumber: 17 },
    ...{ miscselect: '00000000', miscselectMask: 'ffffffff' },
    ...{ attributes: '11000000000000000000000000000000', attributesMask: 'fbffffffffffffff0000000000000000' },
    ...{ mrsigner: quotingSigner.toString('hex'), isvprodid: 2 },
    tcbLevels: [{ tcb: { isvsvn: 1 }, tcbDate: '2026-01-01T00:00:00Z', tcbStatus: 'UpToDate' }],
  };
}

const uint = (value: number, lengthBytes: number) => {
  const bytes = Buffer.alloc(lengthBytes);
  bytes.writeUIntLE(value, 0, lengthBytes);
  return bytes;
};

function forgeQuote(parts: {
  reportData: Uint8Array;
  pck: Certified;
  chain: string;
  mrTd: string;
  options: ForgeOptions;
}): Buffer {
  const { chain, options, pck, reportData } = parts;
  const attestation = newKey();
  const publicKey = rawPublicKey(attestation.publicKey);
  const header = Buffer.concat([uint(4, 2), uint(2, 2), uint(0x81, 4), Buffer.alloc(40)]);
  const attributes = Buffer.from([options.isDebug ? 1 : 0, 0, 0, 0x10, 0, 0, 0, 0]);
  const report = Buffer.concat([
    ...[Buffer.alloc(16, 5), Buffer.alloc(48 + 48 + 8), attributes, Buffer.alloc(8)],
    ...[Buffer.from(parts.mrTd, 'hex'), Buffer.alloc(3 * 48), Buffer.alloc(4 * 48, 3), Buffer.from(reportData)],
  ]);
  const authData = Buffer.alloc(32, 9);
  const qeHash = createHash('sha256').update(publicKey).update(authData).digest();
  const qeReport = Buffer.concat([
    ...[Buffer.alloc(16), uint(0, 4), Buffer.alloc(28), Buffer.from('11000000000000000000000000000000', 'hex')],
    ...[Buffer.alloc(32), Buffer.alloc(32), quotingSigner, Buffer.alloc(96), uint(2, 2), uint(3, 2), Buffer.alloc(60)],
    ...[qeHash, Buffer.alloc(32)],
  ]);
  const qeSignature = sign('sha256', qeReport, { key: pck.key, dsaEncoding: 'ieee-p1363' });
  const pem = Buffer.from(chain);
  const certification = Buffer.concat([
    ...[qeReport, qeSignature, uint(authData.length, 2), authData, uint(5, 2), uint(pem.length, 4), pem],
  ]);
  const signature = signRaw(Buffer.concat([header, report]), attestation.privateKey);
  const auth = Buffer.concat([signature, publicKey, uint(6, 2), uint(certification.length, 4), certification]);
  return Buffer.concat([header, report, uint(auth.length, 4), auth]);
}
