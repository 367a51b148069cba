// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IAutoPayLLM} from "../../contracts/interfaces/IAutoPayLLM.sol";
import {BusinessFixture} from "./helpers/BusinessFixture.sol";

contract AutoPayLLMGuardianTest is BusinessFixture {
    function setUp() public override {
        super.setUp();
        depositBondChecked(token, BOND);
        collectChecked(token, "a", 1000);
        allow(agpt, payer, 1 ether);
    }

    function test_Freeze_StopsBookingReleaseAllowanceCallsAndBondWithdrawals() external {
        uint256 batchId = bookChecked(token, 400, 1);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.Frozen(uint64(START + 7 days));
        vm.prank(guardian);
        autoPay.freeze(7 days);
        assertEq(autoPay.frozenUntil(), START + 7 days, "until");

        vm.warp(START + 7 days - 1);
        bytes memory refused = abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_Frozen.selector, uint64(START + 7 days));
        _expectRelayRefused(relay, refused);
        vm.expectRevert(refused);
        autoPay.release(batchId, booked(400, true), firstAnchor);
        vm.expectRevert(refused);
        autoPay.releaseOverBudget(batchId, booked(400, true), firstAnchor);

        // It ends by itself, and the dispute window went on meanwhile.
        vm.warp(START + 7 days);
        autoPay.release(batchId, booked(400, true), firstAnchor);
        _expectRelayWorks(relay, 7);
    }

    function test_Freeze_StopsNeitherCollectingNorWithdrawals() external {
        uint256 batchId = bookChecked(token, 400, 1);
        vm.warp(START + WINDOW);
        autoPay.release(batchId, booked(400, true), firstAnchor);
        vm.prank(guardian);
        autoPay.freeze(1);
        collectChecked(token, "b", 10);
        creditChecked(token, payer, 10);
        assertEq(autoPay.withdrawCredits(autoPay.creditId(address(token), PROVIDER, payout)), 400, "withdrawn");
        depositBondChecked(token, 10);
        autoPay.setProvider(PROVIDER, payer);
    }

    function test_Unfreeze_ByGuardianOrAdmin() external {
        vm.prank(guardian);
        autoPay.freeze(7 days);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.Frozen(0);
        vm.prank(guardian);
        autoPay.unfreeze();
        _expectRelayWorks(relay, 0);
        vm.warp(START + 30 days);
        vm.prank(guardian);
        autoPay.freeze(7 days);
        autoPay.unfreeze();
        assertEq(autoPay.frozenUntil(), 0, "the admin ended it");
    }

    function test_RevertGiven_FreezeBeganWithinThePeriod() external {
        vm.prank(guardian);
        autoPay.freeze(1);
        vm.prank(guardian);
        autoPay.unfreeze();
        vm.warp(START + 30 days - 1);
        vm.expectRevert(_limit(1, START + 30 days));
        vm.prank(guardian);
        autoPay.freeze(1);
        vm.warp(START + 30 days);
        vm.prank(guardian);
        autoPay.freeze(7 days);
        assertEq(autoPay.frozenUntil(), START + 37 days, "again after the period");
    }

    function test_RevertWhen_StopHasABadDuration() external {
        uint64[2] memory durations = [uint64(0), 7 days + 1];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(_limit(durations[i], 0));
            vm.prank(guardian);
            autoPay.freeze(durations[i]);
            vm.expectRevert(_limit(durations[i], 0));
            vm.prank(guardian);
            autoPay.suspendRelay(relay, durations[i]);
        }
    }

    function test_SuspendRelay_StopsOneRelayOnly() external {
        address other = wallet("other relay");
        autoPay.grantRole(autoPay.RELAY_ROLE(), other);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.RelaySuspended(relay, uint64(START + 7 days));
        vm.prank(guardian);
        autoPay.suspendRelay(relay, 7 days);
        assertEq(autoPay.suspendedUntil(relay), START + 7 days, "until");

        bytes memory refused = _suspended(relay, START + 7 days);
        _expectRelayRefused(relay, refused);
        _expectRelayWorks(other, 0);

        vm.warp(START + 7 days - 1);
        _expectRelayRefused(relay, refused);
        vm.warp(START + 7 days);
        _expectRelayWorks(relay, 7);
    }

    function test_SuspendRelay_AShorterOneDoesNotEndALongerOne() external {
        address other = wallet("other relay");
        autoPay.grantRole(autoPay.RELAY_ROLE(), other);
        vm.prank(guardian);
        autoPay.suspendRelay(relay, 7 days);
        vm.prank(guardian);
        autoPay.suspendRelay(other, 1 days);
        vm.warp(START + 2 days);
        _expectRelayRefused(relay, _suspended(relay, START + 7 days));
        _expectRelayWorks(other, 2);
    }

    function test_SuspendRelay_ALongerOneDoesNotProlongAShorterOne() external {
        address other = wallet("other relay");
        autoPay.grantRole(autoPay.RELAY_ROLE(), other);
        vm.prank(guardian);
        autoPay.suspendRelay(other, 1 days);
        vm.prank(guardian);
        autoPay.suspendRelay(relay, 7 days);
        vm.warp(START + 1 days);
        _expectRelayWorks(other, 1);
        _expectRelayRefused(relay, _suspended(relay, START + 7 days));
    }

    function test_SuspendRelay_StopsNotCollecting() external {
        vm.prank(guardian);
        autoPay.suspendRelay(relay, 7 days);
        collectChecked(token, "b", 10);
        creditChecked(token, payer, 10);
    }

    function test_ReinstateRelay_ByGuardianOrAdmin() external {
        vm.prank(guardian);
        autoPay.suspendRelay(relay, 7 days);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.RelaySuspended(relay, 0);
        vm.prank(guardian);
        autoPay.reinstateRelay(relay);
        _expectRelayWorks(relay, 0);
        vm.warp(START + 30 days);
        vm.prank(guardian);
        autoPay.suspendRelay(relay, 7 days);
        autoPay.reinstateRelay(relay);
        assertEq(autoPay.suspendedUntil(relay), 0, "the admin ended it");
    }

    function test_RevertGiven_SuspensionBeganWithinThePeriod() external {
        vm.prank(guardian);
        autoPay.suspendRelay(relay, 1);
        vm.prank(guardian);
        autoPay.reinstateRelay(relay);
        vm.warp(START + 30 days - 1);
        vm.expectRevert(_limit(1, START + 30 days));
        vm.prank(guardian);
        autoPay.suspendRelay(relay, 1);
        vm.prank(guardian);
        autoPay.suspendRelay(payer, 1);
        vm.warp(START + 30 days);
        vm.prank(guardian);
        autoPay.suspendRelay(relay, 1);
        assertEq(autoPay.suspendedUntil(relay), START + 30 days + 1, "again after the period");
    }

    function test_RevertWhen_CallerIsNotTheGuardian() external {
        bytes memory refused = missingRole(relay, autoPay.GUARDIAN_ROLE());
        vm.expectRevert(refused);
        vm.prank(relay);
        autoPay.freeze(1);
        vm.expectRevert(refused);
        vm.prank(relay);
        autoPay.suspendRelay(relay, 1);
        vm.expectRevert(refused);
        vm.prank(relay);
        autoPay.unfreeze();
        vm.expectRevert(refused);
        vm.prank(relay);
        autoPay.reinstateRelay(relay);
        bytes memory adminRefused = missingRole(address(this), autoPay.GUARDIAN_ROLE());
        vm.expectRevert(adminRefused);
        autoPay.freeze(1);
        vm.expectRevert(adminRefused);
        autoPay.suspendRelay(relay, 1);
    }

    function test_SuspendRelay_CountsApartFromAFreeze() external {
        vm.prank(guardian);
        autoPay.freeze(7 days);
        vm.warp(START + 7 days);
        vm.prank(guardian);
        autoPay.suspendRelay(relay, 7 days);
        _expectRelayRefused(relay, _suspended(relay, START + 14 days));
    }

    /// @dev Whatever a guardian asks for, and whenever: a stop is of at most 7 days, and one of a kind begins in 30.
    function testFuzz_Stops_AreAtMostSevenDaysInThirty(
        uint64[6] calldata durations,
        uint32[6] calldata waits,
        uint8 kinds
    ) external {
        uint256 at = START;
        uint256[2] memory until;
        uint256[2] memory nextAt;
        for (uint256 i = 0; i < durations.length; ++i) {
            at += bound(waits[i], 0, 40 days);
            vm.warp(at);
            uint64 duration = uint64(bound(durations[i], 0, 8 days));
            uint256 kind = (kinds >> i) & 1;
            if (duration == 0 || duration > 7 days || at < nextAt[kind]) {
                vm.expectRevert(_limit(duration, nextAt[kind]));
            } else {
                (until[kind], nextAt[kind]) = (at + duration, at + 30 days);
            }
            vm.prank(guardian);
            if (kind == 0) autoPay.freeze(duration);
            else autoPay.suspendRelay(relay, duration);
            assertEq(autoPay.frozenUntil(), until[0], "frozenUntil");
            assertEq(autoPay.suspendedUntil(relay), until[1], "suspendedUntil");
        }
    }

    function testFuzz_Stops_HoldForAsLongAsWasAsked(uint64 duration, uint64 waited, bool byFreeze) external {
        duration = uint64(bound(duration, 1, 7 days));
        uint256 until = START + duration;
        vm.prank(guardian);
        if (byFreeze) autoPay.freeze(duration);
        else autoPay.suspendRelay(relay, duration);
        uint256 at = START + bound(waited, 0, 8 days);
        vm.warp(at);
        uint32 day = uint32(at / 1 days);
        if (at >= until) return _expectRelayWorks(relay, day - TODAY);
        _expectRelayRefused(
            relay,
            byFreeze
                ? abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_Frozen.selector, uint64(until))
                : _suspended(relay, until)
        );
    }

    /// @dev Everything that a stop refuses a relay.
    function _expectRelayRefused(address caller, bytes memory refused) private {
        vm.expectRevert(refused);
        vm.prank(caller);
        autoPay.book(address(token), spendOf(TODAY, MODEL, 1), noRefunds, 1);
        vm.expectRevert(refused);
        vm.prank(caller);
        autoPay.settle(address(token), "", spendOf(TODAY, MODEL, 1), noRefunds, 1);
        vm.expectRevert(refused);
        vm.prank(caller);
        autoPay.executeLLMCall(payer, "simulated", 1);
        vm.expectRevert(refused);
        vm.prank(caller);
        autoPay.executeLLMCall(payer, "simulated", "sim-small", 1, "call");
        vm.expectRevert(refused);
        vm.prank(caller);
        autoPay.withdrawBond(address(token), 1);
    }

    /// @dev All of that is done, so many days after the start.
    function _expectRelayWorks(address caller, uint32 daysLater) private {
        vm.prank(caller);
        autoPay.book(address(token), spendOf(TODAY + daysLater, MODEL, 1), noRefunds, 1);
        vm.prank(caller);
        autoPay.settle(address(token), "", spendOf(TODAY + daysLater, MODEL, 1), noRefunds, 1);
        vm.prank(caller);
        autoPay.executeLLMCall(payer, "simulated", 1);
        vm.prank(caller);
        autoPay.executeLLMCall(payer, "simulated", "sim-small", 1, bytes16(uint128(daysLater) + 1));
        vm.prank(caller);
        autoPay.withdrawBond(address(token), 1);
    }

    function _limit(uint256 durationSeconds, uint256 nextAllowedAt) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_GuardianLimit.selector, durationSeconds, nextAllowedAt);
    }

    function _suspended(address account, uint256 until) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_RelaySuspended.selector, account, uint64(until));
    }
}
