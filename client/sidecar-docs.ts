import { readFile } from 'node:fs/promises';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';

/** Nothing comes from elsewhere, nothing runs that is not a file of this sidecar, and no other page may frame it. */
const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>AutoPayLLM sidecar</title>
    <link rel="icon" href="/docs/favicon-32x32.png">
    <link rel="stylesheet" href="/docs/swagger-ui.css">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;

/** Swagger UI would have a validator of its makers read the document, if it were not told. */
const start = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#swagger-ui', validatorUrl: null, deepLinking: true });
`;

/** Files of the npm package swagger-ui-dist: where they are, and what. */
const packaged: Readonly<Record<string, readonly [url: string, contentType: string]>> = {
  'swagger-ui.css': [import.meta.resolve('swagger-ui-dist/swagger-ui.css'), 'text/css; charset=utf-8'],
  'swagger-ui-bundle.js': [
    import.meta.resolve('swagger-ui-dist/swagger-ui-bundle.js'),
    'text/javascript; charset=utf-8',
  ],
  'favicon-32x32.png': [import.meta.resolve('swagger-ui-dist/favicon-32x32.png'), 'image/png'],
};

/** A page or a file of the documentation. */
export interface DocsAnswer {
  headers: Readonly<Record<string, string>>;
  body: string | Buffer;
}

/**
 * Swagger UI over `/openapi.json`: its page, or one of the page's files.
 * @param path `/docs` or below it.
 * @throws AutoPayError `not_found`.
 */
export async function readDocs(path: string): Promise<DocsAnswer> {
  if (path === '/docs') return answer('text/html; charset=utf-8', page);
  const name = path.slice('/docs/'.length);
  if (name === 'start.js') return answer('text/javascript; charset=utf-8', start);
  const found = Object.hasOwn(packaged, name) ? packaged[name] : undefined;
  if (found === undefined) throw new AutoPayError('not_found', `There is no ${path}. Open /docs.`);
  const [url, contentType] = found;
  return answer(contentType, await readFile(new URL(url)));
}

function answer(contentType: string, body: string | Buffer): DocsAnswer {
  return {
    headers: {
      'content-type': contentType,
      'content-security-policy': contentSecurityPolicy,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-cache',
    },
    body,
  };
}
