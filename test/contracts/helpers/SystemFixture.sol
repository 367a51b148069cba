// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {AuditLog} from "../../../contracts/AuditLog.sol";
import {AutoPayLLM} from "../../../contracts/AutoPayLLM.sol";
import {BillingDisputes} from "../../../contracts/BillingDisputes.sol";
import {KeyRegistry} from "../../../contracts/KeyRegistry.sol";
import {ModelBudgets} from "../../../contracts/ModelBudgets.sol";
import {PaymentChannels} from "../../../contracts/PaymentChannels.sol";
import {PaymentDesk} from "../../../contracts/PaymentDesk.sol";
import {PriceBook} from "../../../contracts/PriceBook.sol";
import {PriceOracle} from "../../../contracts/PriceOracle.sol";
import {AGPT} from "../../../contracts/governance/AGPT.sol";
import {AutoPayGovernor} from "../../../contracts/governance/AutoPayGovernor.sol";
import {AggregatorV3Interface} from "../../../contracts/interfaces/AggregatorV3Interface.sol";
import {GovernorConfig} from "../../../contracts/interfaces/IAutoPayGovernor.sol";
import {AutoPayLLMConfig, ProviderPayout} from "../../../contracts/interfaces/IAutoPayLLM.sol";
import {BillingDisputesConfig, InitialTerms} from "../../../contracts/interfaces/IBillingDisputes.sol";
import {InitialRate} from "../../../contracts/interfaces/IModelBudgets.sol";
import {InitialFeed} from "../../../contracts/interfaces/IPriceOracle.sol";
import {TestBase} from "./TestBase.sol";

/// @notice The whole system, deployed and handed over step by step as `ignition/modules/AutoPay.ts` does it.
/// @dev This contract is the deployer.
abstract contract SystemFixture is TestBase {
    uint256 internal constant TIMELOCK_DELAY = 8000;
    uint256 private constant SUPPLY = 1e24;

    AGPT internal agpt;
    TimelockController internal timelock;
    AutoPayGovernor internal governor;
    PaymentChannels internal channels;
    AuditLog internal auditLog;
    ModelBudgets internal budgets;
    PriceBook internal priceBook;
    PriceOracle internal priceOracle;
    KeyRegistry internal keyRegistry;
    AutoPayLLM internal autoPay;
    PaymentDesk internal paymentDesk;
    BillingDisputes internal disputes;

    function deploySystem(address relay, address guardian, address holder) internal {
        agpt = AGPT(create("AGPT", abi.encode(holder, SUPPLY)));
        // The zero address as executor: anyone may execute.
        timelock = TimelockController(
            create("TimelockController", abi.encode(TIMELOCK_DELAY, new address[](0), new address[](1), address(this)))
        );
        budgets = ModelBudgets(create("ModelBudgets", abi.encode(timelock, agpt, 1e18, new InitialRate[](0))));
        priceBook = PriceBook(create("PriceBook", abi.encode(timelock, bytes32("prices"))));
        priceOracle = PriceOracle(
            create("PriceOracle", abi.encode(timelock, AggregatorV3Interface(address(0)), new InitialFeed[](0)))
        );
        keyRegistry = KeyRegistry(create("KeyRegistry", abi.encode(timelock, relay)));
        channels = PaymentChannels(create("PaymentChannels", ""));
        auditLog = AuditLog(create("AuditLog", abi.encode(timelock, relay)));
        autoPay = AutoPayLLM(create("AutoPayLLM", abi.encode(_businessConfig(relay, guardian))));
        // Powers need no payment: the addresses of others' contracts may be any.
        paymentDesk = PaymentDesk(create("PaymentDesk", abi.encode(autoPay, address(1), address(2), address(3))));
        disputes = BillingDisputes(create("BillingDisputes", abi.encode(_disputesConfig())));
        governor = AutoPayGovernor(create("AutoPayGovernor", abi.encode(_governorConfig())));
        _handOver();
    }

    /// @dev `handOver` of the deployment.
    function _handOver() private {
        budgets.setConsumer(address(autoPay));
        autoPay.grantRole(autoPay.DESK_ROLE(), address(paymentDesk));
        autoPay.grantRole(autoPay.DISPUTES_ROLE(), address(disputes));
        autoPay.grantRole(autoPay.DEFAULT_ADMIN_ROLE(), address(timelock));
        timelock.grantRole(timelock.PROPOSER_ROLE(), address(governor));
        timelock.grantRole(timelock.CANCELLER_ROLE(), address(governor));
        autoPay.renounceRole(autoPay.DEFAULT_ADMIN_ROLE(), address(this));
        timelock.renounceRole(timelock.DEFAULT_ADMIN_ROLE(), address(this));
    }

    function _businessConfig(address relay, address guardian) private view returns (AutoPayLLMConfig memory) {
        return
            AutoPayLLMConfig({
                paymentChannels: channels,
                auditLog: auditLog,
                modelBudgets: budgets,
                agpt: agpt,
                admin: address(this),
                relay: relay,
                guardian: guardian,
                bondPayout: relay,
                disputeWindow: 1 hours,
                providers: new ProviderPayout[](0)
            });
    }

    function _disputesConfig() private view returns (BillingDisputesConfig memory) {
        InitialTerms[] memory terms = new InitialTerms[](1);
        terms[0] = InitialTerms(address(agpt), 100e18, 100e18);
        return
            BillingDisputesConfig({
                autoPayLLM: autoPay,
                priceBook: priceBook,
                priceOracle: priceOracle,
                keyRegistry: keyRegistry,
                governance: address(timelock),
                mergeDelay: 30 minutes,
                terms: terms
            });
    }

    function _governorConfig() private view returns (GovernorConfig memory) {
        return
            GovernorConfig({
                autoPayLLM: autoPay,
                timelock: timelock,
                votingDelay: 1,
                votingPeriod: 60,
                lateQuorumExtension: 10,
                proposalThreshold: SUPPLY / 1000,
                quorumPercent: 4
            });
    }
}
