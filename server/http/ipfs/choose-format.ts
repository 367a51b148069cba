import { AutoPayError } from '../../../protocol/errors/auto-pay-error.ts';

/** Which blocks a CAR holds besides those of its path: the last one, or all that it leads to. */
export type DagScope = 'block' | 'entity' | 'all';

/** What is to be answered: one block as it is, or a CAR. */
export type ChosenFormat =
  | { name: 'raw' }
  | {
      name: 'car';
      scope: DagScope;
      /** As it was asked for; it implies the scope `entity`. */
      entityBytes: string | null;
      /** Whether a block that occurs again is sent again. In a log none does. */
      dups: 'y' | 'n';
    };

export const rawType = 'application/vnd.ipld.raw';
export const carType = 'application/vnd.ipld.car';

const scopes: readonly DagScope[] = ['block', 'entity', 'all'];
const maxAccepted = 32;

/**
 * Chooses the format of an answer (IPFS Trustless Gateway specification, "Request Query Parameters" and "Accept"): by the query, else by
 * the `Accept` header.
 *
 * @throws AutoPayError `invalid_request` if neither says anything, or a parameter is malformed; `not_acceptable` if the gateway
 * has no such format
 */
export function chooseFormat(query: URLSearchParams, accept: string | undefined): ChosenFormat {
  const ranges = parseAccept(accept ?? '').filter(({ quality }) => quality > 0);
  const name = query.get('format') ?? nameOf(ranges, accept);
  if (name === 'raw') return { name };
  if (name !== 'car') throw refuseFormat();
  const archives = ranges.filter((range) => range.type === carType);
  const asked = (archives.find(({ parameters }) => isServed(parameters)) ?? archives[0])?.parameters;
  const signal = (key: 'version' | 'order' | 'dups') => query.get(`car-${key}`) ?? asked?.get(key);
  const [version = '1', order = 'dfs', dups = 'n'] = [signal('version'), signal('order'), signal('dups')];
  if (version !== '1' || !['dfs', 'unk'].includes(order) || (dups !== 'y' && dups !== 'n')) throw refuseFormat();
  return { name, dups, ...readScope(query) };
}

/** A media range of an `Accept` header (RFC 9110 §12.5.1). */
interface MediaRange {
  type: string;
  parameters: ReadonlyMap<string, string>;
  quality: number;
}

function parseAccept(header: string): MediaRange[] {
  return header
    .split(',', maxAccepted)
    .map((text) => {
      const [type = '', ...rest] = text.split(';').map((part) => part.trim().toLowerCase());
      const parameters = new Map(rest.map((part) => splitParameter(part)));
      const quality = Number(parameters.get('q') ?? 1);
      return { type, parameters, quality: Number.isNaN(quality) ? 0 : quality };
    })
    .filter(({ type }) => type !== '');
}

function splitParameter(part: string): [string, string] {
  const at = part.indexOf('=');
  const value = at < 0 ? '' : part.slice(at + 1).trim();
  return [part.slice(0, Math.max(at, 0)).trim(), value.replace(/^"(.*)"$/, '$1')];
}

/** What names a format comes before what takes any. */
function nameOf(ranges: readonly MediaRange[], accept: string | undefined): 'raw' | 'car' {
  if (accept === undefined) {
    const message = `Say what you take: ?format=raw or ?format=car, or "Accept: ${rawType}" or "${carType}".`;
    throw new AutoPayError('invalid_request', message);
  }
  const named = ranges.filter(({ type, parameters }) => type === rawType || (type === carType && isServed(parameters)));
  const [best] = named.toSorted((a, b) => b.quality - a.quality);
  if (best) return best.type === carType ? 'car' : 'raw';
  if (ranges.some(({ type }) => type === '*/*' || type === 'application/*')) return 'raw';
  throw refuseFormat();
}

function isServed(parameters: ReadonlyMap<string, string>): boolean {
  const { version = '1', order = 'dfs', dups = 'n' } = Object.fromEntries(parameters);
  return version === '1' && ['dfs', 'unk'].includes(order) && ['y', 'n'].includes(dups);
}

function refuseFormat(): AutoPayError {
  const message = `Served are ${rawType} and ${carType}; version=1; order=dfs. Ask with ?format=raw or ?format=car.`;
  return new AutoPayError('not_acceptable', message);
}

function readScope(query: URLSearchParams): { scope: DagScope; entityBytes: string | null } {
  const [text, entityBytes] = [query.get('dag-scope') ?? 'all', query.get('entity-bytes')];
  const scope = scopes.find((name) => name === text);
  if (scope === undefined) {
    throw new AutoPayError('invalid_request', 'dag-scope is block, entity or all.', { param: 'dag-scope' });
  }
  if (entityBytes === null) return { scope, entityBytes };
  if (!/^-?\d{1,16}:(\*|-?\d{1,16})$/.test(entityBytes)) {
    throw new AutoPayError('invalid_request', 'entity-bytes is FROM:TO, such as 0:* or -1024:*.', {
      param: 'entity-bytes',
    });
  }
  return { scope: 'entity', entityBytes };
}
