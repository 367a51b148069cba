import type { RequestHandler } from 'express';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/**
 * Answers the methods that a path does not have.
 * @param allowed those that it has, separated by ", "
 * @throws AutoPayError `method_not_allowed`
 */
export function refuseMethod(allowed: string): RequestHandler {
  return (request, response) => {
    response.setHeader('allow', allowed);
    throw new AutoPayError('method_not_allowed', `${request.path.slice(0, 200)} takes ${allowed} only.`);
  };
}
