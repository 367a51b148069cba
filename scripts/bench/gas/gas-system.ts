import { keccak256, toBytes, type Abi, type Address, type Hex } from 'viem';
import { zeroAddress } from '../../../protocol/bytes/hex.ts';
import { exactProxyAddress, permit2Address, uptoProxyAddress } from '../../../protocol/x402/addresses.ts';
import { createGasChain, type GasChain, type L1Prices } from './gas-chain.ts';

/** A deployed contract. */
interface Deployed {
  address: Address;
  abi: Abi;
}

/** What calls are measured on: everything deployed, with the real USDC code. */
export interface GasSystem extends GasChain {
  contracts: Record<'paymentChannels' | 'autoPayLLM' | 'paymentDesk' | 'auditLog' | 'usdc' | 'agpt', Deployed>;
}

/** Deploys a system with one provider, `simulated`; `close` MUST be called. */
export async function createGasSystem(l1: L1Prices): Promise<GasSystem> {
  const chain = await createGasChain(l1);
  const { deployer, relay, payer, provider } = chain.accounts;
  const usdc = await chain.deployUsdc();
  const agpt = await chain.deploy('AGPT', [payer.address, 10n ** 27n], 'governance/');
  const paymentChannels = await chain.deploy('PaymentChannels', []);
  const auditLog = await chain.deploy('AuditLog', [deployer.address, relay.address]);
  const rates = [{ token: usdc.address, rate: 10n ** 32n }];
  const modelBudgets = await chain.deploy('ModelBudgets', [deployer.address, agpt.address, 10n ** 27n, rates]);
  const autoPayLLM = await chain.deploy('AutoPayLLM', [
    {
      paymentChannels: paymentChannels.address,
      auditLog: auditLog.address,
      modelBudgets: modelBudgets.address,
      agpt: agpt.address,
      admin: deployer.address,
      relay: relay.address,
      guardian: zeroAddress,
      bondPayout: deployer.address,
      disputeWindow: 3600n,
      providers: [{ name: 'simulated', payout: provider.address }],
    },
  ]);
  const { address: to, abi } = modelBudgets;
  await chain.send({ from: deployer, to, abi, functionName: 'setConsumer', args: [autoPayLLM.address] });
  const proxies = [permit2Address, exactProxyAddress, uptoProxyAddress];
  const paymentDesk = await chain.deploy('PaymentDesk', [autoPayLLM.address, ...proxies]);
  const grant = [nameId('DESK_ROLE'), paymentDesk.address];
  await chain.send({
    from: deployer,
    to: autoPayLLM.address,
    abi: autoPayLLM.abi,
    functionName: 'grantRole',
    args: grant,
  });
  return { ...chain, contracts: { paymentChannels, autoPayLLM, paymentDesk, auditLog, usdc, agpt } };
}

/** Identifier of a model or provider. */
export function nameId(name: string): Hex {
  return keccak256(toBytes(name));
}
