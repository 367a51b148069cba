import type { RequestHandler } from 'express';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { ModelsAnswer } from './describe-models.ts';

/**
 * `GET /v1/models/<model>`: one element of the list, as OpenAI's clients retrieve it. Names have slashes, written as such or as `%2F`.
 * @throws AutoPayError `model_not_found`
 */
export function createModelHandler(models: () => ModelsAnswer): RequestHandler<{ model: string[] }> {
  return ({ params }, response) => {
    const name = params.model.join('/');
    const found = models().data.find((one) => 'id' in one && one.id === name);
    if (!found) {
      const message = `There is no model "${name.slice(0, 128)}" here. GET /v1/models lists the models.`;
      throw new AutoPayError('model_not_found', message, { param: 'model' });
    }
    response.json(found);
  };
}
