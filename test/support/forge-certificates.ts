import { createPrivateKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

/*
 * X.509 in DER, as little of it as a chain of trust for tests takes (RFC 5280). Everything here is made up: no key of it means anything
 * outside a test.
 */

/** One DER element. */
export function der(tag: number, ...content: Uint8Array[]): Buffer {
  const value = Buffer.concat(content);
  if (value.length < 0x80) return Buffer.concat([Buffer.from([tag, value.length]), value]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(value.length);
  return Buffer.concat([Buffer.from([tag, 0x82]), length, value]);
}

export const sequence = (...content: Uint8Array[]) => der(0x30, ...content);
export const octets = (bytes: Uint8Array) => der(0x04, bytes);

/** A positive number of one byte, below 128, or the bytes of a longer one. */
export function integer(value: number): Buffer {
  return der(0x02, value < 128 ? Buffer.from([value]) : Buffer.from([value >> 8, value & 0xff]));
}

export function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [40 * first + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = arc >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return der(0x06, Buffer.from(bytes));
}

function utcTime(atMs: number): Buffer {
  const text = new Date(atMs).toISOString().replaceAll(/[-:T]/g, '').slice(2, 14);
  return der(0x17, Buffer.from(`${text}Z`));
}

const ecdsaWithSha256 = sequence(oid('1.2.840.10045.4.3.2'));
const nameOf = (text: string) => sequence(der(0x31, sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(text)))));

/** A certificate with its key. */
export interface Certified {
  name: string;
  der: Buffer;
  key: KeyObject;
}

export const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });

function signed(tbs: Buffer, key: KeyObject): Buffer {
  return sequence(tbs, ecdsaWithSha256, der(0x03, Buffer.from([0]), sign('sha256', tbs, key)));
}

/** Issues a certificate; signed by itself without an issuer. */
export function certify(options: {
  name: string;
  serial: number;
  issuer?: Certified;
  isAuthority: boolean;
  validity: readonly [fromMs: number, untilMs: number];
  extensions?: readonly Buffer[];
}): Certified {
  const { extensions = [], isAuthority, issuer, name, serial, validity } = options;
  const { privateKey, publicKey } = newKey();
  const basics = sequence(
    ...[oid('2.5.29.19'), der(0x01, Buffer.from([0xff]))],
    octets(isAuthority ? sequence(der(0x01, Buffer.from([0xff]))) : sequence()),
  );
  const tbs = sequence(
    ...[der(0xa0, integer(2)), integer(serial), ecdsaWithSha256, nameOf(issuer?.name ?? name)],
    ...[sequence(...validity.map(utcTime)), nameOf(name), publicKey.export({ type: 'spki', format: 'der' })],
    der(0xa3, sequence(basics, ...extensions)),
  );
  return { name, key: privateKey, der: signed(tbs, issuer?.key ?? privateKey) };
}

/** A list of revoked serial numbers. */
export function revoke(
  issuer: Certified,
  {
    serials,
    validity,
    key = issuer.key,
  }: { serials: readonly number[]; validity: readonly [number, number]; key?: KeyObject },
): Buffer {
  const revoked = serials.map((serial) => sequence(integer(serial), utcTime(validity[0])));
  const tbs = sequence(
    ...[integer(1), ecdsaWithSha256, nameOf(issuer.name), ...validity.map(utcTime)],
    ...(revoked.length === 0 ? [] : [sequence(...revoked)]),
  );
  return signed(tbs, key);
}

export function toPem(...certificates: readonly Certified[]): string {
  return certificates
    .map(({ der: bytes }) => bytes.toString('base64').replaceAll(/(.{64})/g, '$1\n'))
    .map((body) => `-----BEGIN CERTIFICATE-----\n${body.trimEnd()}\n-----END CERTIFICATE-----\n`)
    .join('');
}

/** The 64 bytes r ‖ s of a P-256 signature. */
export function signRaw(bytes: Uint8Array, key: KeyObject): Buffer {
  return sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' });
}

/** x ‖ y of a P-256 key. */
export function rawPublicKey(key: KeyObject): Buffer {
  const { x = '', y = '' } = (
    key.type === 'private' ? createPrivateKey(key.export({ type: 'pkcs8', format: 'pem' })) : key
  ).export({
    format: 'jwk',
  });
  return Buffer.concat([Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
}
