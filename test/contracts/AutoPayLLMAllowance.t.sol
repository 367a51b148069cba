// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {AutoPayLLM} from "../../contracts/AutoPayLLM.sol";
import {AutoPayLLMConfig, IAutoPayLLM} from "../../contracts/interfaces/IAutoPayLLM.sol";
import {BusinessFixture} from "./helpers/BusinessFixture.sol";
import {TestToken} from "./mocks/TestToken.sol";
import {FeeOnTransferToken, NoReturnToken, OverchargingToken, ReentrantToken} from "./mocks/WeirdTokens.sol";

contract AutoPayLLMAllowanceTest is BusinessFixture {
    /// @dev Price of one billing unit: 10^18 / 1250.
    uint256 private constant UNIT = 8e14;

    address private _user;
    bytes32 private _id;

    function setUp() public override {
        super.setUp();
        _user = wallet("user");
        _id = keccak256(abi.encode(_user, "simulated"));
        allow(agpt, _user, 100 ether);
    }

    function test_ExecuteLLMCall_TakesThePriceFromTheAllowance() external {
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.LLMCallExecuted(_user, PROVIDER, 0, 0, _id, 1250, 1 ether);
        vm.recordLogs();
        vm.prank(relay);
        assertEq(autoPay.executeLLMCall(_user, "simulated", 1250), 1 ether, "1250 units cost 1 AGPT");
        assertEq(vm.getRecordedLogs().length, 2, "the call and the transfer; no credit was moved");
        assertEq(autoPay.apiCredits(_id), 1 ether, "credit");
        assertEq(agpt.balanceOf(address(autoPay)), 1 ether, "arrived");
        assertEq(agpt.balanceOf(_user), 99 ether, "paid");
    }

    function test_ExecuteLLMCall_NoCallIsFree() external {
        assertEq(autoPay.TOKENS_PER_AGPT(), 1250, "the blueprint's constant");
        vm.prank(relay);
        assertEq(autoPay.executeLLMCall(_user, "simulated", 1), UNIT, "the smallest call");
        vm.prank(relay);
        assertEq(autoPay.executeLLMCall(_user, "simulated", 1249), 1249 * UNIT, "nothing is rounded away");
    }

    function testFuzz_ExecuteLLMCall_CostsUnitsOver1250(uint256 units) external {
        units = bound(units, 1, type(uint96).max / UNIT);
        allow(agpt, _user, units * UNIT);
        vm.prank(relay);
        uint256 cost = autoPay.executeLLMCall(_user, "simulated", units);
        assertEq(cost * 1250, units * 1 ether, "exact");
        assertEq(autoPay.apiCredits(_id), cost, "credit");
    }

    function test_RevertWhen_UnitsAreZero() external {
        bytes memory refused = abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_ZeroAmount.selector);
        vm.expectRevert(refused);
        vm.prank(relay);
        autoPay.executeLLMCall(_user, "simulated", 0);
        vm.expectRevert(refused);
        vm.prank(relay);
        autoPay.executeLLMCall(_user, "simulated", "sim-small", 0, "call");
    }

    function test_RevertWhen_UnitsAreBeyondARecord() external {
        uint256 most = type(uint96).max / UNIT;
        vm.expectRevert(
            abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_AmountTooLarge.selector, type(uint256).max, most)
        );
        vm.prank(relay);
        autoPay.executeLLMCall(_user, "simulated", type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_AmountTooLarge.selector, most + 1, most));
        vm.prank(relay);
        autoPay.executeLLMCall(_user, "simulated", "sim-small", most + 1, "call");
    }

    function test_RevertWhen_CreditIsBeyondARecord() external {
        uint256 most = type(uint96).max / UNIT;
        allow(agpt, _user, 2 * most * UNIT);
        vm.prank(relay);
        autoPay.executeLLMCall(_user, "simulated", most);
        vm.warp(START + 1 days);
        vm.expectRevert(
            abi.encodeWithSelector(
                IAutoPayLLM.AutoPayLLM_AmountTooLarge.selector,
                2 * most * UNIT,
                uint256(type(uint96).max)
            )
        );
        vm.prank(relay);
        autoPay.executeLLMCall(_user, "simulated", most);
    }

    /// @dev The blueprint let anyone charge anyone.
    function test_RevertWhen_CallerIsNotTheRelay() external {
        bytes memory refused = missingRole(_user, autoPay.RELAY_ROLE());
        vm.expectRevert(refused);
        vm.prank(_user);
        autoPay.executeLLMCall(_user, "simulated", 1);
        vm.expectRevert(refused);
        vm.prank(_user);
        autoPay.executeLLMCall(_user, "simulated", "sim-small", 1, "call");
    }

    /// @dev The blueprint let the relay name any provider.
    function test_RevertWhen_ProviderIsUnknown() external {
        bytes memory refused = abi.encodeWithSelector(
            IAutoPayLLM.AutoPayLLM_ProviderUnknown.selector,
            keccak256("nobody")
        );
        vm.expectRevert(refused);
        vm.prank(relay);
        autoPay.executeLLMCall(_user, "nobody", 1);
        vm.expectRevert(refused);
        vm.prank(relay);
        autoPay.executeLLMCall(_user, "nobody", "sim-small", 1, "call");
        assertEq(autoPay.costOfCall("call"), 0, "the call id is free");
    }

    function test_RevertWhen_AllowanceIsTooLow() external {
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientAllowance.selector,
                address(autoPay),
                100 ether,
                100 ether + UNIT
            )
        );
        vm.prank(relay);
        autoPay.executeLLMCall(_user, "simulated", "sim-small", 125_001, "call");
        assertEq(autoPay.apiCredits(_id), 0, "no credit");
        assertEq(autoPay.costOfCall("call"), 0, "the call id is free");
    }

    function test_ExecuteLLMCall_OnceForEachCallId() external {
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.LLMCallExecuted(_user, PROVIDER, MODEL, "call", _id, 10, 10 * UNIT);
        assertEq(_execute("sim-small", 10, "call"), 10 * UNIT, "cost");
        assertEq(autoPay.costOfCall("call"), 10 * UNIT, "costOfCall");
        assertEq(budgets.consumed(MODEL, TODAY), 10 * UNIT, "budget");

        vm.warp(START + 2 days);
        vm.recordLogs();
        assertEq(_execute("sim-small", 10, "call"), 10 * UNIT, "a repeat is answered");
        assertEq(vm.getRecordedLogs().length, 0, "and moves nothing");
        assertEq(autoPay.apiCredits(_id), 10 * UNIT, "credit");
        assertEq(budgets.consumed(MODEL, TODAY + 2), 0, "budget");
        _execute("sim-small", 10, "next call");
        assertEq(autoPay.apiCredits(_id), 20 * UNIT, "another call pays");
    }

    function test_RevertWhen_CallIdIsReused() external {
        autoPay.setProvider(keccak256("other"), payout);
        allow(agpt, payer, 1 ether);
        _execute("sim-small", 10, "call");
        _expectReused(_user, "simulated", "sim-small", 11);
        _expectReused(_user, "simulated", "sim-large", 10);
        _expectReused(_user, "other", "sim-small", 10);
        _expectReused(payer, "simulated", "sim-small", 10);
        assertEq(autoPay.costOfCall("call"), 10 * UNIT, "paid once");
    }

    function test_RevertWhen_OverBudget() external {
        budgets.exhaust(MODEL);
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_OverBudget.selector, MODEL, TODAY, 10 * UNIT));
        vm.prank(relay);
        autoPay.executeLLMCall(_user, "simulated", "sim-small", 10, "call");
        assertEq(agpt.balanceOf(_user), 100 ether, "nothing moved");
        assertEq(autoPay.costOfCall("call"), 0, "the call id is free");
    }

    function test_DailyCap_BindsFromTheFirstCallOfTheDay() external {
        _execute("sim-small", 10, "before the cap");
        (uint256 cap, uint256 spent) = autoPay.dailyCapOf(_user);
        assertEq(cap, type(uint128).max, "no cap at first");
        assertEq(spent, 10 * UNIT, "counted all the same");

        _setCap(15 * UNIT);
        _expectCapExceeded(6, 16 * UNIT, 15 * UNIT);
        _execute("sim-small", 5, "up to the cap");
        (, spent) = autoPay.dailyCapOf(_user);
        assertEq(spent, 15 * UNIT, "spent");
        _expectCapExceeded(1, 16 * UNIT, 15 * UNIT);

        vm.warp((uint256(TODAY) + 1) * 1 days - 1);
        _expectCapExceeded(1, 16 * UNIT, 15 * UNIT);
        vm.warp((uint256(TODAY) + 1) * 1 days);
        (, spent) = autoPay.dailyCapOf(_user);
        assertEq(spent, 0, "a new day");
        _execute("sim-small", 15, "tomorrow");
    }

    function test_SetDailyCap_CanStopEverythingAndBeLifted() external {
        _setCap(0);
        _expectCapExceeded(1, UNIT, 0);
        _setCap(type(uint128).max);
        _execute("sim-small", 1000, "call");
        (uint256 cap, ) = autoPay.dailyCapOf(_user);
        assertEq(cap, type(uint128).max, "no cap");
    }

    function test_RevertWhen_CapIsBeyondARecord() external {
        _setCap(type(uint96).max);
        vm.expectRevert(
            abi.encodeWithSelector(
                IAutoPayLLM.AutoPayLLM_AmountTooLarge.selector,
                uint256(1 << 96),
                uint256(type(uint96).max)
            )
        );
        vm.prank(_user);
        autoPay.setDailyCap(1 << 96);
    }

    function test_RevertWhen_ADaysSpendingIsBeyondARecord() external {
        uint256 most = type(uint96).max / UNIT;
        allow(agpt, _user, most * UNIT);
        _execute("sim-small", 1, "first");
        _expectCapExceeded(most, (most + 1) * UNIT, type(uint96).max);
    }

    /// @dev The blueprint let anyone withdraw, to itself.
    function test_WithdrawCredits_PaysTheProviderWhoeverCalls() external {
        _execute("sim-small", 10, "call");
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.CreditsWithdrawn(_id, address(agpt), payout, 10 * UNIT);
        vm.prank(wallet("thief"));
        assertEq(autoPay.withdrawCredits(_id), 10 * UNIT, "amount");
        assertEq(agpt.balanceOf(payout), 10 * UNIT, "paid");
        assertEq(agpt.balanceOf(wallet("thief")), 0, "nothing for the caller");
    }

    /// @dev The blueprint forgot to reset the credit.
    function test_RevertGiven_CreditsWereWithdrawn() external {
        _execute("sim-small", 10, "call");
        _execute("sim-small", 10, "another");
        autoPay.withdrawCredits(_id);
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_NothingToWithdraw.selector));
        autoPay.withdrawCredits(_id);
        _execute("sim-small", 3, "third");
        assertEq(autoPay.withdrawCredits(_id), 3 * UNIT, "only what came since");
    }

    /// @dev `abi.encode` keeps user and provider apart: no two pairs share a credit.
    function testFuzz_ApiCredits_AreApart(address other, string calldata name) external {
        vm.assume(other != _user || keccak256(bytes(name)) != PROVIDER);
        _execute("sim-small", 10, "call");
        assertEq(autoPay.apiCredits(keccak256(abi.encode(other, name))), 0, "another pair");
    }

    function test_ExecuteLLMCall_MovesTheFormerAddresssCredit() external {
        address later = wallet("later payout");
        _execute("sim-small", 10, "call");
        autoPay.setProvider(PROVIDER, later);
        bytes32 formerId = autoPay.creditId(address(agpt), PROVIDER, payout);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.ApiCreditMoved(_id, formerId, 10 * UNIT);
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.CreditAdded(formerId, address(agpt), PROVIDER, payout, 10 * UNIT);
        _execute("sim-small", 5, "another");
        assertEq(autoPay.apiCredits(_id), 5 * UNIT, "the later address's");
        autoPay.withdrawCredits(_id);
        autoPay.withdrawCredits(formerId);
        assertEq(agpt.balanceOf(later), 5 * UNIT, "later");
        assertEq(agpt.balanceOf(payout), 10 * UNIT, "former");
    }

    function test_WithdrawCredits_PaysTheFormerAddressIfNoCallFollowed() external {
        _execute("sim-small", 10, "call");
        autoPay.setProvider(PROVIDER, wallet("later payout"));
        autoPay.withdrawCredits(_id);
        assertEq(agpt.balanceOf(payout), 10 * UNIT, "former");
        _execute("sim-small", 5, "another");
        autoPay.withdrawCredits(_id);
        assertEq(agpt.balanceOf(wallet("later payout")), 5 * UNIT, "later");
    }

    function test_RevertWhen_LessArrives() external {
        _expectNotReceived(new FeeOnTransferToken(), UNIT - 1);
    }

    function test_ExecuteLLMCall_WhatElseTheUserLosesIsNotOurs() external {
        OverchargingToken evil = new OverchargingToken();
        _useAgpt(evil);
        evil.arm();
        vm.prank(relay);
        autoPay.executeLLMCall(_user, "simulated", 1);
        assertEq(evil.balanceOf(address(autoPay)), UNIT, "exactly the price arrived");
    }

    function test_ExecuteLLMCall_OfATokenThatReturnsNothing() external {
        vm.etch(address(agpt), address(new NoReturnToken()).code);
        NoReturnToken(address(agpt)).mint(_user, 1 ether);
        vm.prank(_user);
        NoReturnToken(address(agpt)).approve(address(autoPay), 1 ether);
        _execute("sim-small", 1, "call");
        assertEq(NoReturnToken(address(agpt)).balanceOf(address(autoPay)), UNIT, "arrived");
    }

    function test_ExecuteLLMCall_CannotBeReentered() external {
        ReentrantToken evil = new ReentrantToken();
        _useAgpt(evil);
        autoPay.grantRole(autoPay.RELAY_ROLE(), address(evil));
        evil.arm(
            address(autoPay),
            abi.encodeWithSignature(
                "executeLLMCall(address,string,string,uint256,bytes16)",
                _user,
                "simulated",
                "sim-small",
                1,
                bytes16("call")
            )
        );
        _execute("sim-small", 1, "call");
        assertReentryRefused(evil);
        assertEq(evil.balanceOf(address(autoPay)), UNIT, "paid once");
    }

    function test_WithdrawCredits_OfAllowanceCallsCannotBeReentered() external {
        ReentrantToken evil = new ReentrantToken();
        _useAgpt(evil);
        _execute("sim-small", 1, "call");
        evil.arm(address(autoPay), abi.encodeCall(autoPay.withdrawCredits, (_id)));
        autoPay.withdrawCredits(_id);
        assertReentryRefused(evil);
        assertEq(evil.balanceOf(payout), UNIT, "paid once");
    }

    /// @dev Executes as the relay, at the usual provider.
    function _execute(string memory model, uint256 units, bytes16 callId) private returns (uint256 cost) {
        vm.prank(relay);
        cost = autoPay.executeLLMCall(_user, "simulated", model, units, callId);
        assertEq(autoPay.costOfCall(callId), cost, "recorded");
    }

    function _setCap(uint256 cap) private {
        vm.expectEmit(address(autoPay));
        emit IAutoPayLLM.DailyCapSet(_user, cap);
        vm.prank(_user);
        autoPay.setDailyCap(cap);
        (uint256 stored, ) = autoPay.dailyCapOf(_user);
        assertEq(stored, cap, "cap");
    }

    function _expectReused(address user, string memory provider, string memory model, uint256 units) private {
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_CallIdReused.selector, bytes16("call")));
        vm.prank(relay);
        autoPay.executeLLMCall(user, provider, model, units, "call");
    }

    function _expectCapExceeded(uint256 units, uint256 wouldSpend, uint256 cap) private {
        bytes memory refused = abi.encodeWithSelector(
            IAutoPayLLM.AutoPayLLM_DailyCapExceeded.selector,
            _user,
            wouldSpend,
            cap
        );
        vm.expectRevert(refused);
        vm.prank(relay);
        autoPay.executeLLMCall(_user, "simulated", units);
        vm.expectRevert(refused);
        vm.prank(relay);
        autoPay.executeLLMCall(_user, "simulated", "sim-small", units, "beyond the cap");
    }

    /// @dev Another deployment whose AGPT is this token.
    function _useAgpt(TestToken weird) private {
        AutoPayLLMConfig memory other = config();
        other.agpt = weird;
        useAutoPay(AutoPayLLM(create("AutoPayLLM", abi.encode(other))));
        allow(weird, _user, 1 ether);
    }

    function _expectNotReceived(TestToken weird, uint256 received) private {
        _useAgpt(weird);
        vm.expectRevert(abi.encodeWithSelector(IAutoPayLLM.AutoPayLLM_PaymentNotReceived.selector, received, UNIT));
        vm.prank(relay);
        autoPay.executeLLMCall(_user, "simulated", 1);
    }
}
