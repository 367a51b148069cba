import { existsSync } from 'node:fs';
import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';
import type { CommandContext } from '../command-context.ts';

/** What a provider said of the models that deployments ask of it. */
interface ModelCheck {
  provider: string;
  missing: readonly { model: string; route: string; deployment: string }[];
  /** Why nothing can be said; null if it answered. */
  unknown: string | null;
}

/** What was found; JSON. */
interface ConfigReport {
  files: readonly string[];
  faults: readonly string[];
  notices: readonly string[];
  models: readonly ModelCheck[];
  /** Whether only the translation of a foreign file was checked: there is no autopay.yaml that says the rest. */
  isPartial: boolean;
}

/**
 * Checks a configuration as a relay reads it, and which models its providers do not have.
 * @returns false if a relay would not start with it, or a provider lacks a model
 */
export async function runConfigCheck(
  context: CommandContext,
  options: { file?: string | undefined; isOffline: boolean },
): Promise<boolean> {
  const report = await checkFiles(context, options);
  const missing = report.models.flatMap((check) => check.missing);
  context.print({ json: report, text: describe(report, options) });
  return report.faults.length === 0 && missing.length === 0;
}

async function checkFiles(
  { dataDir }: CommandContext,
  { file, isOffline }: { file?: string | undefined; isOffline: boolean },
): Promise<ConfigReport> {
  const [{ findConfig }, { loadConfig }, { readSources }, { checkModels }] = await Promise.all([
    import('../../server/config/find-config.ts'),
    import('../../server/config/load-config.ts'),
    import('../../server/config/read-sources.ts'),
    import('../../server/config/check-models.ts'),
  ]);
  const { env } = process;
  const found = await findConfig(dataDir, file);
  if (found.imports.length > 0 && !existsSync(found.file)) {
    // What it lacks is not its fault, so only its own words are judged.
    const [foreign = ''] = found.imports;
    const { faults, notices } = readSources('priceCurrency: USD', found.file, { env, imports: [foreign] });
    const own = faults.filter((fault) => !fault.includes('payment_token'));
    return { files: found.imports, faults: own, notices, models: [], isPartial: true };
  }
  try {
    const config = await loadConfig(found.file, { env, imports: found.imports });
    const models = isOffline ? [] : await checkModels(config, { env });
    return { files: config.files, faults: [], notices: config.notices, models, isPartial: false };
  } catch (error) {
    if (!(error instanceof AutoPayError)) throw error;
    // The message is a list, one fault a line.
    const [head = '', ...faults] = error.message.split('\n  ');
    return {
      files: [found.file, ...found.imports],
      faults: faults.length > 0 ? faults : [head],
      notices: [],
      models: [],
      isPartial: false,
    };
  }
}

function describe(
  { faults, files, isPartial, models, notices }: ConfigReport,
  { isOffline }: { isOffline: boolean },
): string {
  const missing = models.flatMap(({ provider, missing: lacked }) =>
    lacked.map(
      ({ model, route, deployment }) => `${provider} has no model ${model}, which ${deployment} of ${route} asks for`,
    ),
  );
  const unknown = models.flatMap(({ provider, unknown: reason }) =>
    reason === null ? [] : [`${provider}: its models are not known, ${reason}`],
  );
  const lines = [
    ...faults.map((line) => `fault    ${line}`),
    ...missing.map((line) => `fault    ${line}`),
    ...notices.map((line) => `warning  ${line}`),
    ...unknown.map((line) => `warning  ${line}`),
  ];
  const asked = models.length - unknown.length;
  const count = faults.length + missing.length;
  const about =
    isOffline || isPartial
      ? 'no provider was asked for its models'
      : `${asked} of ${models.length} providers told their models`;
  const rest = isPartial
    ? ' There is no autopay.yaml in the data folder, so chain, tokens and prices were not looked at.'
    : '';
  return `${lines.map((line) => `${line}\n`).join('')}${files.join(', ')}: ${count} fault(s), ${lines.length - count} warning(s); ${about}.${rest}\n`;
}
