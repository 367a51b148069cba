/** The token that demos pay in, as amounts of it are written. */
export const USDC = { symbol: 'USDC', decimals: 6 };

/** Demos run these jobs themselves; at their intervals they would get there first. */
export const QUIET_JOBS = { collection: { intervalSeconds: 600 }, audit: { intervalSeconds: 86_400 } };
