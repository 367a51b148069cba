// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {AutoPayLLM} from "../../contracts/AutoPayLLM.sol";
import {AuditLog} from "../../contracts/AuditLog.sol";
import {AutoPayLLMConfig, IAutoPayLLM} from "../../contracts/interfaces/IAutoPayLLM.sol";
import {IModelBudgets} from "../../contracts/interfaces/IModelBudgets.sol";
import {IPaymentChannels} from "../../contracts/interfaces/IPaymentChannels.sol";
import {ChannelId} from "../../contracts/types/ChannelId.sol";
import {ReceiptBatch} from "../../contracts/types/ReceiptBatch.sol";
import {BusinessFixture} from "./helpers/BusinessFixture.sol";
import {Erc1271Wallet} from "../../contracts/mocks/Erc1271Wallets.sol";
import {TestToken} from "./mocks/TestToken.sol";
import {FeeOnTransferToken, ReentrantToken} from "./mocks/WeirdTokens.sol";

contract AutoPayLLMDeploymentTest is BusinessFixture {
    function test_Constructor_SetsWhatItWasGiven() external view {
        assertEq(address(autoPay.paymentChannels()), address(channels), "escrow");
        assertEq(address(autoPay.auditLog()), address(auditLog), "log");
        assertEq(address(autoPay.modelBudgets()), address(budgets), "budgets");
        assertEq(address(autoPay.agpt()), address(agpt), "agpt");
        assertEq(autoPay.disputeWindow(), WINDOW, "window");
        assertEq(autoPay.bondPayout(), bondPayout, "bond payout");
        assertEq(autoPay.payoutOf(PROVIDER), payout, "provider");
        assertTrue(autoPay.isNameRegistered(PROVIDER), "provider's name");
        assertTrue(autoPay.hasRole(autoPay.DEFAULT_ADMIN_ROLE(), address(this)), "admin");
        assertTrue(autoPay.hasRole(autoPay.RELAY_ROLE(), relay), "relay");
        assertTrue(autoPay.hasRole(autoPay.GUARDIAN_ROLE(), guardian), "guardian");
    }

    function test_Constructor_WithoutAGuardianGrantsNobodyTheRole() external {
        AutoPayLLMConfig memory lonely = config();
        lonely.guardian = address(0);
        AutoPayLLM deployed = AutoPayLLM(create("AutoPayLLM", abi.encode(lonely)));
        assertEq(deployed.hasRole(deployed.GUARDIAN_ROLE(), address(0)), false, "not even the zero address");
    }

    function test_Limits_AreThePublishedOnes() external view {
        assertEq(autoPay.MAX_SPENDS(), 128, "spends of a booking");
        assertEq(autoPay.MAX_REFUNDS(), 64, "refunds of a booking");
        assertEq(autoPay.MAX_NAME_BYTES(), 128, "bytes of a name");
        assertEq(autoPay.REFUND_GAS_LIMIT(), 120_000, "gas of a refund");
        assertEq(autoPay.MAX_GUARDIAN_STOP(), 7 days, "a guardian's stop");
        assertEq(autoPay.GUARDIAN_PERIOD(), 30 days, "time between two stops");
    }

    function test_RevertWhen_DisputeWindowIsOutOfRange() external {
        uint64[2] memory windows = [uint64(3599), 30 days + 1];
        for (uint256 i = 0; i < 2; ++i) {
            AutoPayLLMConfig memory wrong = config();
            wrong.disputeWindow = windows[i];
            vm.expectRevert(
                abi.encodeWithSelector(
                    IAutoPayLLM.AutoPayLLM_DisputeWindowOutOfRange.selector,
                    uint256(windows[i]),
                    uint256(1 hours),
                    uint256(30 days)
                )
            );
            AutoPayLLM(create("AutoPayLLM", abi.encode(wrong)));
        }
        AutoPayLLMConfig memory longest = config();
        longest.disputeWindow = 30 days;
        assertEq(
            AutoPayLLM(create("AutoPayLLM", abi.encode(longest))).disputeWindow(),
            30 days,
            "the longest is allowed"
        );
    }

    function test_RevertWhen_DeployedWithAZeroAddress() external {
        AutoPayLLMConfig[7] memory wrong = [config(), config(), config(), config(), config(), config(), config()];
        wrong[0].paymentChannels = IPaymentChannels(address(0));
        wrong[1].auditLog = AuditLog(address(0));
        wrong[2].modelBudgets = IModelBudgets(address(0));
        wrong[3].agpt = IERC20(address(0));
        wrong[4].admin = address(0);
        wrong[5].relay = address(0);
        wrong[6].bondPayout = address(0);
        for (uint256 i = 0; i < wrong.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_ZeroAddress.selector));
            AutoPayLLM(create("AutoPayLLM", abi.encode(wrong[i])));
        }
    }

    function test_RegisterName_OnceIsEnough() external {
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.NameRegistered(MODEL, "sim-small");
        assertEq(autoPay.registerName("sim-small"), MODEL, "id");
        assertEq(autoPay.isNameRegistered(MODEL), true, "registered");
        vm.recordLogs();
        assertEq(autoPay.registerName("sim-small"), MODEL, "same id");
        assertEq(vm.getRecordedLogs().length, 0, "no second event");
    }

    function test_RevertWhen_NameHasABadLength() external {
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_NameLength.selector, uint256(0), uint256(128)));
        autoPay.registerName("");
        autoPay.registerName(string(new bytes(128)));
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_NameLength.selector, uint256(129), uint256(128)));
        autoPay.registerName(string(new bytes(129)));
    }

    function test_SetProvider_EmitsAndStores() external {
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.ProviderSet(MODEL, relay);
        autoPay.setProvider(MODEL, relay);
        assertEq(autoPay.payoutOf(MODEL), relay, "payout");
    }

    function test_RevertWhen_SetProviderIsNotTheAdmins() external {
        vm.expectRevert(missingRole(relay, bytes32(0)));
        vm.prank(relay);
        autoPay.setProvider(PROVIDER, relay);
    }

    function test_HashReceiptBatch_IsBoundToChainAndContract() external {
        ReceiptBatch memory batch = ReceiptBatch("root", 3, 1_760_000_000_000);
        bytes32 separator = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("AutoPayLLM"),
                keccak256("1"),
                CHAIN_ID,
                address(autoPay)
            )
        );
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("ReceiptBatch(bytes32 root,uint64 size,uint64 signedAtMs)"),
                batch.root,
                batch.size,
                batch.signedAtMs
            )
        );
        bytes32 expected = keccak256(abi.encodePacked(hex"1901", separator, structHash));
        assertEq(autoPay.hashReceiptBatch(batch), expected, "digest");
        vm.chainId(CHAIN_ID + 1);
        assertTrue(autoPay.hashReceiptBatch(batch) != expected, "another chain, another digest");
    }
}

contract AutoPayLLMCollectTest is BusinessFixture {
    function test_Collect_CountsWhatArrives() external {
        bytes memory claims = claimOn(token, "a", 200);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.Collected(address(token), 200, 200);
        vm.prank(relay);
        autoPay.collect(address(token), claims);
        assertEq(token.balanceOf(address(autoPay)), 200, "held");
    }

    function test_Collect_CountsLessIfTheTokenTakesAFee() external {
        TestToken plain = new TestToken();
        bytes memory claims = claimOn(plain, "a", 200);
        vm.etch(address(plain), address(new FeeOnTransferToken()).code);
        vm.prank(relay);
        assertEq(autoPay.collect(address(plain), claims), 199, "received");
        assertEq(autoPay.unbooked(address(plain)), 199, "unbooked");
    }

    function test_Collect_IgnoresDonations() external {
        token.mint(address(autoPay), 1000);
        collectChecked(token, "a", 200);
    }

    function test_Collect_OfNothingChangesNothing() external {
        vm.recordLogs();
        vm.prank(relay);
        assertEq(autoPay.collect(address(token), ""), 0, "received");
        assertEq(vm.getRecordedLogs().length, 0, "no event");
    }

    /// @dev Everything that says what may be done with money is broken, and nothing of it is on the way of the money
    /// here.
    function test_Collect_DependsOnNothingButEscrow() external {
        bytes memory claims = _breakEverythingButEscrow();
        vm.prank(relay);
        assertEq(autoPay.collect(address(token), claims), 200, "received");
        assertEq(autoPay.unbooked(address(token)), 200, "unbooked");
    }

    function test_Collect_WorksInAPendingClosesLastSecond() external {
        bytes memory claims = _breakEverythingButEscrow();
        ChannelId id = channels.computeChannelId(payer, payee, address(token), "a", address(0));
        vm.warp(START + 400 days);
        vm.prank(payer);
        channels.requestClose(id);
        vm.warp(START + 400 days + 3599);
        _stopAll();
        vm.prank(relay);
        assertEq(autoPay.collect(address(token), claims), 200, "received");
        vm.warp(START + 400 days + 3600);
        vm.prank(payer);
        channels.withdraw(id);
        assertEq(token.balanceOf(payer), DEPOSIT - 200, "the payer gets the rest, and no more");
    }

    function test_SettleChannel_DependsOnNothingButEscrow() external {
        _breakEverythingButEscrow();
        ChannelId id = channels.computeChannelId(payer, payee, address(token), "a", address(0));
        bytes memory signature = voucher(id, 200);
        vm.prank(relay);
        assertEq(autoPay.settleChannel(id, 200, signature), 200, "received");
        assertEq(autoPay.unbooked(address(token)), 200, "unbooked");
    }

    function test_SettleChannel_TakesAContractSigner() external {
        Erc1271Wallet signer = new Erc1271Wallet(Erc1271Wallet.Mode.Accepts);
        ChannelId id = openChannel(payer, payee, token, DEPOSIT, "a", address(signer));
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.Collected(address(token), 70, 70);
        vm.prank(relay);
        assertEq(autoPay.settleChannel(id, 70, "anything"), 70, "received");
    }

    function test_CloseChannel_CountsItsPartOnly() external {
        ChannelId id = openDefault("a");
        bytes memory signature = voucher(id, 150);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.Collected(address(token), 150, 150);
        vm.prank(relay);
        assertEq(autoPay.closeChannel(id, 150, signature), 150, "received");
        assertEq(token.balanceOf(payer), DEPOSIT - 150, "the payer's part");
        assertTrue(channels.getChannel(id).finalized, "closed");
    }

    function test_CloseChannel_WithoutMoreToTakeReceivesNothing() external {
        ChannelId id = openDefault("a");
        vm.prank(relay);
        assertEq(autoPay.closeChannel(id, 0, ""), 0, "received");
        assertEq(autoPay.unbooked(address(token)), 0, "unbooked");
    }

    function test_CloseChannels_CountsItsPartOnly() external {
        bytes memory claims = bytes.concat(claimOn(token, "a", 200), claimOn(token, "b", 50));
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.Collected(address(token), 250, 250);
        vm.prank(relay);
        assertEq(autoPay.closeChannels(address(token), claims), 250, "received");
        assertEq(token.balanceOf(payer), 2 * DEPOSIT - 250, "the payer's part");
    }

    function test_CloseChannels_WorksDuringAFreeze() external {
        bytes memory claims = claimOn(token, "a", 200);
        vm.prank(guardian);
        autoPay.freeze(7 days);
        vm.prank(relay);
        assertEq(autoPay.closeChannels(address(token), claims), 200, "received");
    }

    function test_RevertGiven_RelayIsSuspended_ClosingIsRefused() external {
        ChannelId id = openDefault("a");
        vm.prank(guardian);
        autoPay.suspendRelay(relay, 7 days);
        bytes memory refused = abi.encodeWithSelector(
            IAutoPayLLM.AutoPayLLM_RelaySuspended.selector,
            relay,
            uint64(START + 7 days)
        );
        vm.expectRevert(refused);
        vm.prank(relay);
        autoPay.closeChannels(address(token), "");
        vm.expectRevert(refused);
        vm.prank(relay);
        autoPay.closeChannel(id, 0, "");
    }

    function test_RevertWhen_CallerIsNotTheRelay() external {
        bytes memory refused = missingRole(address(this), autoPay.RELAY_ROLE());
        vm.expectRevert(refused);
        autoPay.collect(address(token), "");
        vm.expectRevert(refused);
        autoPay.closeChannels(address(token), "");
        vm.expectRevert(refused);
        autoPay.settleChannel(ChannelId.wrap(0), 1, "");
        vm.expectRevert(refused);
        autoPay.closeChannel(ChannelId.wrap(0), 1, "");
        vm.expectRevert(refused);
        autoPay.book(address(token), noSpends, noRefunds, 0);
        vm.expectRevert(refused);
        autoPay.settle(address(token), "", noSpends, noRefunds, 0);
    }

    function test_RevertWhen_TheChannelIsAnothers() external {
        ChannelId id = openChannel(payer, wallet("another payee"), token, DEPOSIT, "a", address(0));
        bytes memory signature = voucher(id, 1);
        bytes memory refused = abi.encodeWithSelector(
            IPaymentChannels.NotPayee.selector,
            address(autoPay),
            wallet("another payee")
        );
        vm.expectRevert(refused);
        vm.prank(relay);
        autoPay.settleChannel(id, 1, signature);
        vm.expectRevert(refused);
        vm.prank(relay);
        autoPay.closeChannel(id, 1, signature);
    }

    function test_RevertWhen_MoreArrivesThanARecordHolds() external {
        TestToken broken = new TestToken();
        bytes memory claims = claimOn(broken, "a", 1);
        vm.etch(address(broken), address(new InflatingToken()).code);
        vm.expectRevert(
            abi.encodeWithSelector(
                IAutoPayLLM.AutoPayLLM_AmountTooLarge.selector,
                uint256(1 << 128),
                uint256(type(uint128).max)
            )
        );
        vm.prank(relay);
        autoPay.collect(address(broken), claims);
    }

    function test_Collect_CannotBeReentered() external {
        _expectNoReentry(abi.encodeCall(autoPay.claimRefund, (address(token), payer)), 0);
    }

    function test_CloseChannels_CannotBeReentered() external {
        _expectNoReentry(abi.encodeCall(autoPay.collect, (address(token), "")), 1);
    }

    function test_SettleChannel_CannotBeReentered() external {
        _expectNoReentry(abi.encodeCall(autoPay.withdrawCredits, (bytes32(0))), 2);
    }

    function test_CloseChannel_CannotBeReentered() external {
        _expectNoReentry(abi.encodeCall(autoPay.depositBond, (address(token), 1)), 3);
    }

    /// @dev Collects in one of four ways while the token calls back.
    function _expectNoReentry(bytes memory payload, uint256 way) private {
        ReentrantToken evil = new ReentrantToken();
        bytes memory claims = claimOn(evil, "a", 10);
        ChannelId id = channels.computeChannelId(payer, payee, address(evil), "a", address(0));
        bytes memory signature = voucher(id, 10);
        evil.arm(address(autoPay), payload);
        vm.prank(relay);
        if (way == 0) autoPay.collect(address(evil), claims);
        else if (way == 1) autoPay.closeChannels(address(evil), claims);
        else if (way == 2) autoPay.settleChannel(id, 10, signature);
        else autoPay.closeChannel(id, 10, signature);
        assertReentryRefused(evil);
        assertEq(autoPay.unbooked(address(evil)), 10, "counted once");
    }

    /// @dev Budgets, log and AGPT revert, the provider is gone, there is no bond, all is stopped, and it is another
    /// day.
    function _breakEverythingButEscrow() private returns (bytes memory claims) {
        claims = claimOn(token, "a", 200);
        vm.etch(address(budgets), hex"fe");
        vm.etch(address(auditLog), hex"fe");
        vm.etch(address(agpt), hex"fe");
        autoPay.setProvider(PROVIDER, address(0));
        assertEq(autoPay.bondOf(address(token)).amount, 0, "no bond");
        vm.warp(START + 300 days);
        _stopAll();
    }

    function _stopAll() private {
        vm.prank(guardian);
        autoPay.freeze(7 days);
        vm.prank(guardian);
        autoPay.suspendRelay(relay, 7 days);
    }
}

/// @notice Gives whoever receives 2^128 units, whatever was sent.
contract InflatingToken is TestToken {
    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from != address(0)) super._update(address(0), to, (1 << 128) - value);
    }
}
