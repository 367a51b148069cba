import type { ModelRequest } from './endpoints/endpoint.ts';
import { parseObject, readModelName } from './read-request.ts';
import { refuseFoldedKeys } from './refuse-folded-keys.ts';
import { scanTopLevel } from './scan-top-level.ts';

/**
 * What every endpoint reads of a body first: the object, where its members stand, and the model that is asked for.
 * @param known the members that have a meaning; those of chat requests by default.
 * @throws AutoPayError as parseObject, scanTopLevel, refuseFoldedKeys and readModelName.
 */
export function readModelBody(
  body: Buffer,
  known?: ReadonlySet<string>,
): Pick<ModelRequest, 'value' | 'members' | 'model'> {
  const value = parseObject(body);
  const members = scanTopLevel(body);
  refuseFoldedKeys(
    members.map(({ key }) => key),
    known,
  );
  return { value, members, model: readModelName(value) };
}
