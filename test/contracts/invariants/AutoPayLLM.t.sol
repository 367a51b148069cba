// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {AuditLog} from "../../../contracts/AuditLog.sol";
import {AutoPayLLM} from "../../../contracts/AutoPayLLM.sol";
import {PaymentChannels} from "../../../contracts/PaymentChannels.sol";
import {Anchor} from "../../../contracts/interfaces/IAuditLog.sol";
import {BookedSpend, Refund, Spend} from "../../../contracts/interfaces/IAutoPayLLM.sol";
import {ChannelId} from "../../../contracts/types/ChannelId.sol";
import {TestBase} from "../helpers/TestBase.sol";
import {MoodyBudgets} from "../mocks/MoodyBudgets.sol";
import {MoodyToken} from "../mocks/WeirdTokens.sol";

/// @notice Random but valid steps of a relay, its admin, providers and customers; a step that fits nothing does nothing.
/// @dev This contract is admin and relay. In this file, because Hardhat's runner calls only contracts of the test files.
contract AutoPayLLMHandler is TestBase {
    uint256 private constant START = 1_760_000_000;
    uint128 private constant DEPOSIT = 1e24;
    bytes32 private constant MODEL = "cheap";
    bytes32 private constant EXHAUSTED_MODEL = "dear";

    struct Booking {
        uint64 logSize;
        uint256 at;
        bool released;
        bool overBudgetReleased;
    }

    PaymentChannels public channels;
    AutoPayLLM public autoPay;
    MoodyToken public token;
    AuditLog private _log;

    uint256 public collected;
    uint256 public spent;
    uint256 public refundedAtOnce;
    uint256 public refundsClaimed;
    uint256 public refundsWaiting;
    uint256 public released;
    uint256 public withdrawn;
    mapping(string step => uint256 count) public done;

    Booking[] private _bookings;
    mapping(uint256 batchId => BookedSpend[] spends) private _spendsOf;
    Anchor[] private _anchors;
    ChannelId private _channelId;
    uint96 private _settled;
    uint256 private _now = START;

    constructor() {
        vm.warp(START);
        channels = new PaymentChannels();
        token = new MoodyToken();
        MoodyBudgets budgets = new MoodyBudgets();
        budgets.exhaust(EXHAUSTED_MODEL);
        _log = new AuditLog(address(this));
        autoPay = new AutoPayLLM(channels, _log, budgets, address(this), 3600);
        autoPay.grantRole(autoPay.RELAY_ROLE(), address(this));
        _log.grantRole(_log.ANCHOR_ROLE(), address(this));
        for (uint256 i = 0; i < 2; ++i) autoPay.setProvider(_provider(i), payoutAt(i));
        token.setMood(customerAt(1), MoodyToken.Mood.Blocked);

        address payer = wallet("payer");
        token.mint(payer, DEPOSIT);
        vm.prank(payer);
        token.approve(address(channels), DEPOSIT);
        vm.prank(payer);
        _channelId = channels.open(address(autoPay), address(token), DEPOSIT, "salt", address(0));
    }

    function collect(uint96 amount) external {
        _tick();
        amount = uint96(bound(amount, 1, 1e20));
        _settled += amount;
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf("payer"), channels.hashVoucher(_channelId, _settled));
        bytes32 compact = bytes32(uint256(s) | (uint256(v - 27) << 255));
        bytes memory claim = abi.encodePacked(
            wallet("payer"),
            bytes32("salt"),
            address(0),
            _settled,
            _settled,
            r,
            compact
        );
        collected += autoPay.collect(address(token), claim);
        done["collect"]++;
    }

    function book(uint128[3] calldata shares, uint256 refundShare, bool needsLog, uint256 customer) external {
        _tick();
        uint256 left = autoPay.unbooked(address(token));
        if (left < 4) return;
        uint32 today = uint32(_now / 1 days);
        Spend[] memory spends = new Spend[](3);
        uint256 total = 0;
        for (uint256 i = 0; i < 3; ++i) {
            uint128 amount = uint128(bound(shares[i], 0, left / 4));
            // The third is of the day before yesterday, and so over budget like the second.
            uint32 day = i == 2 ? today - 2 : today;
            spends[i] = Spend(day, i == 1 ? EXHAUSTED_MODEL : MODEL, _provider(i), amount);
            total += amount;
        }
        Refund[] memory refunds = new Refund[](1);
        refunds[0] = Refund("call", customerAt(customer), uint128(bound(refundShare, 0, left / 4)));
        uint64 logSize = needsLog ? _log.latestSize() + 1 : 0;

        uint256 batchId = autoPay.book(address(token), spends, refunds, logSize);
        for (uint256 i = 0; i < 3; ++i) {
            address payout = payoutAt(i);
            _spendsOf[batchId].push(
                BookedSpend(spends[i].day, spends[i].model, spends[i].provider, payout, spends[i].amount, i == 0)
            );
        }
        _bookings.push(Booking(logSize, _now, false, false));
        spent += total;
        if (customer % 2 == 0) refundedAtOnce += refunds[0].amount;
        else refundsWaiting += refunds[0].amount;
        done["book"]++;
    }

    function anchor(uint64 growth) external {
        _tick();
        uint64 previousSize = _log.latestSize();
        uint64 size = previousSize + uint64(bound(growth, 1, 1000));
        _log.anchor(size, "root", "cid");
        _anchors.push(Anchor(size, previousSize, uint64(_now), "root", "cid"));
        done["anchor"]++;
    }

    function release(uint256 seed, bool withinBudget) external {
        for (uint256 i = 0; i < _bookings.length; ++i) {
            uint256 index = ((seed % _bookings.length) + i) % _bookings.length;
            Booking storage booking = _bookings[index];
            if (withinBudget ? booking.released : booking.overBudgetReleased) continue;
            (bool covered, Anchor memory covering) = _covering(booking.logSize);
            if (!covered) continue;
            uint256 from = covering.anchoredAt > booking.at ? covering.anchoredAt : booking.at;
            if (_now < from + 3600) _now = from + 3600;
            vm.warp(_now);
            BookedSpend[] memory spends = _spendsOf[index + 1];
            if (withinBudget) {
                autoPay.release(index + 1, spends, covering);
                booking.released = true;
            } else {
                autoPay.releaseOverBudget(index + 1, spends, covering);
                booking.overBudgetReleased = true;
            }
            for (uint256 j = 0; j < 3; ++j) if (spends[j].withinBudget == withinBudget) released += spends[j].amount;
            done[withinBudget ? "release" : "releaseOverBudget"]++;
            return;
        }
    }

    function withdrawCredits(uint256 provider) external {
        bytes32 id = autoPay.creditId(address(token), _provider(provider), payoutAt(provider));
        if (autoPay.getCredit(id).amount == 0) return;
        withdrawn += autoPay.withdrawCredits(id);
        done["withdrawCredits"]++;
    }

    function claimRefund() external {
        address customer = customerAt(1);
        if (autoPay.claimableRefunds(address(token), customer) == 0) return;
        token.setMood(customer, MoodyToken.Mood.Good);
        uint256 amount = autoPay.claimRefund(address(token), customer);
        token.setMood(customer, MoodyToken.Mood.Blocked);
        refundsClaimed += amount;
        refundsWaiting -= amount;
        done["claimRefund"]++;
    }

    function payoutAt(uint256 index) public pure returns (address) {
        return wallet(index % 2 == 0 ? "payout even" : "payout odd");
    }

    function customerAt(uint256 index) public pure returns (address) {
        return wallet(index % 2 == 0 ? "customer" : "blocked customer");
    }

    /// @dev Sum of both providers' credits.
    function credits() external view returns (uint256 total) {
        for (uint256 i = 0; i < 2; ++i) {
            total += autoPay.getCredit(autoPay.creditId(address(token), _provider(i), payoutAt(i))).amount;
        }
    }

    function _provider(uint256 index) private pure returns (bytes32) {
        return index % 2 == 0 ? bytes32("even") : bytes32("odd");
    }

    function _tick() private {
        _now += 7;
        vm.warp(_now);
    }

    /// @dev The first anchor that covers a size; an empty one if none is needed.
    function _covering(uint64 logSize) private view returns (bool found, Anchor memory covering) {
        if (logSize == 0) return (true, covering);
        for (uint256 i = 0; i < _anchors.length; ++i) if (_anchors[i].size >= logSize) return (true, _anchors[i]);
    }
}

contract AutoPayLLMInvariantTest is TestBase {
    AutoPayLLMHandler private _handler;

    function setUp() external {
        _handler = new AutoPayLLMHandler();
    }

    /// @dev Read by the test runner: only the handler is called.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// @dev Read by the test runner, after each run: a run in which nothing happened proves nothing.
    function afterInvariant() external view {
        assertTrue(_handler.done("collect") > 0, "collect never ran");
        assertTrue(_handler.done("book") > 0, "book never ran");
        assertTrue(_handler.done("anchor") > 0, "anchor never ran");
        assertTrue(_handler.done("release") > 0, "release never ran");
        assertTrue(_handler.done("releaseOverBudget") > 0, "releaseOverBudget never ran");
        assertTrue(_handler.done("withdrawCredits") > 0, "withdrawCredits never ran");
        assertTrue(_handler.done("claimRefund") > 0, "claimRefund never ran");
    }

    function invariant_5_BalanceCoversAllClaims() external view {
        uint256 owed =
            _handler.autoPay().unbooked(address(_handler.token())) +
                (_handler.spent() - _handler.released()) +
                _handler.credits() +
                _handler.autoPay().claimableRefunds(address(_handler.token()), _handler.customerAt(1));
        assertEq(_handler.token().balanceOf(address(_handler.autoPay())), owed, "balance");
    }

    function invariant_6_NothingIsPaidTwice() external view {
        uint256 refunds = _handler.refundedAtOnce() + _handler.refundsClaimed() + _handler.refundsWaiting();
        assertTrue(_handler.spent() + refunds <= _handler.collected(), "booked <= collected");
        assertTrue(_handler.released() <= _handler.spent(), "released <= booked");
        assertEq(_handler.withdrawn() + _handler.credits(), _handler.released(), "withdrawn <= released");
        uint256 paid =
            _handler.token().balanceOf(_handler.payoutAt(0)) + _handler.token().balanceOf(_handler.payoutAt(1));
        assertEq(paid, _handler.withdrawn(), "providers got what was withdrawn");
        uint256 returned =
            _handler.token().balanceOf(_handler.customerAt(0)) + _handler.token().balanceOf(_handler.customerAt(1));
        assertEq(returned, _handler.refundedAtOnce() + _handler.refundsClaimed(), "customers got their refunds");
    }
}
