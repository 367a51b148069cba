import { scanTopLevel } from '../../call/scan-top-level.ts';

/**
 * The model that a request body asks for, without building the rest of it; undefined if it names none in a way that can be read:
 * the call is refused for that later.
 */
export function readModel(body: Buffer): string | undefined {
  try {
    const member = scanTopLevel(body).find(({ key }) => key === 'model');
    if (!member) return undefined;
    const value: unknown = JSON.parse(body.toString('utf8', member.valueStart, member.valueEnd));
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
