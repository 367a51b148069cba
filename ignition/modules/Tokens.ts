import { buildModule } from '@nomicfoundation/hardhat-ignition/modules';
import { agptModule, type AgptPlan } from './Agpt.ts';
import localUsdcModule from './LocalUsdc.ts';

/** AGPT, and USDC for a chain that has none, in one module: Ignition cannot resume one while another is half done. */
export function tokensModule(plan: AgptPlan) {
  return buildModule('Tokens', (m) => ({
    agpt: m.useModule(agptModule(plan)).agpt,
    usdc: m.useModule(localUsdcModule).usdc,
  }));
}
