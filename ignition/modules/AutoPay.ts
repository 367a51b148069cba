import { buildModule } from '@nomicfoundation/hardhat-ignition/modules';
import { keccak256, toBytes } from 'viem';

/** Ignition wants identifiers of letters, digits and underscores; a hash tells names apart that become alike. */
function futureId(prefix: string, name: string): string {
  return `${prefix}_${name.replace(/[^a-zA-Z0-9]/g, '_')}_${keccak256(toBytes(name)).slice(2, 10)}`;
}

/** Name of the module parameter that holds a provider's payout address. */
export function payoutParameter(provider: string): string {
  return futureId('payout', provider);
}

/**
 * Escrow, budgets, audit log and AutoPayLLM, with the relay's roles and the providers' payout addresses.
 *
 * Parameters: `relay` (address; gets RELAY_ROLE and ANCHOR_ROLE), `disputeWindowSeconds`, and one payout address per
 * provider, named by `payoutParameter`. The deployer becomes admin. Adding a provider later to the same deployment
 * runs its two calls and nothing else.
 *
 * @param providers names of the providers to register
 */
export function autoPayModule(providers: readonly string[]) {
  return buildModule('AutoPay', (m) => {
    const admin = m.getAccount(0);
    const relay = m.getParameter<string>('relay');
    const disputeWindowSeconds = m.getParameter('disputeWindowSeconds', 3600);

    const paymentChannels = m.contract('PaymentChannels');
    const modelBudgets = m.contract('UncappedBudgets');
    const auditLog = m.contract('AuditLog', [admin]);
    const autoPayLLM = m.contract('AutoPayLLM', [paymentChannels, auditLog, modelBudgets, admin, disputeWindowSeconds]);

    const relayRole = m.staticCall(autoPayLLM, 'RELAY_ROLE');
    m.call(autoPayLLM, 'grantRole', [relayRole, relay], { id: 'grantRelayRole' });
    const anchorRole = m.staticCall(auditLog, 'ANCHOR_ROLE');
    m.call(auditLog, 'grantRole', [anchorRole, relay], { id: 'grantAnchorRole' });

    for (const provider of providers) {
      const payout = m.getParameter<string>(payoutParameter(provider));
      m.call(autoPayLLM, 'registerName', [provider], { id: futureId('registerName', provider) });
      m.call(autoPayLLM, 'setProvider', [keccak256(toBytes(provider)), payout], {
        id: futureId('setProvider', provider),
      });
    }

    return { paymentChannels, modelBudgets, auditLog, autoPayLLM };
  });
}

export default autoPayModule(['simulated']);
