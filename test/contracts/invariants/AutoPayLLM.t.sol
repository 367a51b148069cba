// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {AuditLog} from "../../../contracts/AuditLog.sol";
import {AutoPayLLM} from "../../../contracts/AutoPayLLM.sol";
import {ModelBudgets} from "../../../contracts/ModelBudgets.sol";
import {PaymentChannels} from "../../../contracts/PaymentChannels.sol";
import {Anchor} from "../../../contracts/interfaces/IAuditLog.sol";
import {
    AutoPayLLMConfig,
    Bond,
    BookedSpend,
    ProviderPayout,
    Refund,
    Spend
} from "../../../contracts/interfaces/IAutoPayLLM.sol";
import {InitialRate} from "../../../contracts/interfaces/IModelBudgets.sol";
import {ChannelId} from "../../../contracts/types/ChannelId.sol";
import {TestBase} from "../helpers/TestBase.sol";
import {TestToken} from "../mocks/TestToken.sol";
import {MoodyToken} from "../mocks/WeirdTokens.sol";

/// @notice Random but valid steps of a relay, its admin, disputes, providers, customers and voters; a step that fits
/// nothing does nothing.
/// @dev This contract holds every role. In this file, because Hardhat's runner calls only contracts of the test files.
contract AutoPayLLMHandler is TestBase {
    uint256 private constant START = 1_760_000_000;
    uint128 private constant DEPOSIT = 1e24;
    uint256 private constant LIMIT = 1e20;
    uint256 private constant CAP = 1e18;
    uint256 private constant UNIT = 8e14;
    bytes32 private constant ALLOWANCE_MODEL = keccak256("allowance model");

    struct Booking {
        uint64 logSize;
        uint256 at;
        bool released;
        bool overBudgetReleased;
    }

    PaymentChannels public channels;
    AutoPayLLM public autoPay;
    ModelBudgets public budgets;
    MoodyToken public token;
    TestToken public agpt;
    AuditLog private _log;

    uint256 public collected;
    mapping(address customer => uint256 amount) public paidBy;
    mapping(address customer => uint256 amount) public refundsBookedTo;
    uint256 public bookedWithin;
    uint256 public bookedOver;
    uint256 public releasedWithin;
    uint256 public releasedOver;
    uint256 public withdrawn;
    uint256 public refunded;
    uint256 public refundsWaiting;
    uint256 public bond;
    uint256 public frozen;
    uint256 public owed;
    uint256 public burned;
    uint256 public allowanceCosts;
    uint256 public allowanceWithdrawn;
    mapping(string step => uint256 count) public done;
    mapping(bytes32 model => mapping(uint32 day => uint256 amount)) public withinOf;

    Booking[] private _bookings;
    mapping(uint256 batchId => BookedSpend[] spends) private _spendsOf;
    Anchor[] private _anchors;
    ChannelId private _channelId;
    uint96 private _settled;
    uint128 private _calls;
    uint256 private _now = START;

    constructor() {
        vm.warp(START);
        channels = PaymentChannels(create("PaymentChannels", ""));
        token = new MoodyToken();
        agpt = new TestToken();
        _log = AuditLog(create("AuditLog", abi.encode(address(this), address(this))));
        InitialRate[] memory rates = new InitialRate[](1);
        rates[0] = InitialRate(address(token), 1e18);
        budgets = ModelBudgets(create("ModelBudgets", abi.encode(address(this), address(agpt), LIMIT, rates)));
        autoPay = AutoPayLLM(create("AutoPayLLM", abi.encode(_config())));
        budgets.setConsumer(address(autoPay));
        autoPay.grantRole(autoPay.DISPUTES_ROLE(), address(this));
        autoPay.grantRole(autoPay.DESK_ROLE(), address(this));
        token.setMood(customerAt(1), MoodyToken.Mood.Blocked);
        token.approve(address(autoPay), type(uint256).max);

        address payer = wallet("payer");
        token.mint(payer, DEPOSIT);
        vm.prank(payer);
        token.approve(address(channels), DEPOSIT);
        vm.prank(payer);
        _channelId = channels.open(address(autoPay), address(token), DEPOSIT, "salt", address(0));
        agpt.mint(payer, DEPOSIT);
        vm.prank(payer);
        agpt.approve(address(autoPay), type(uint256).max);
        vm.prank(payer);
        autoPay.setDailyCap(CAP);
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

    function creditPayment(uint96 amount, uint256 customer) external {
        _tick();
        amount = uint96(bound(amount, 1, 1e19));
        _creditPayment(customerAt(customer), amount);
        done["creditPayment"]++;
    }

    function book(uint128[3] calldata shares, uint256 refundShare, uint64 growth, uint256 customer) external {
        _tick();
        address to = customerAt(customer);
        if (autoPay.refundableOf(address(token), to) == 0) _creditPayment(to, 1e18);
        uint256 left = autoPay.unbooked(address(token));
        if (left < 4) return;
        Spend[] memory spends = _plan(shares, left);
        (BookedSpend[] memory expected, uint256 within, uint256 over) = _judge(spends);
        _topUpBond(autoPay.unreleased(address(token)) + within);
        Refund[] memory refunds = new Refund[](1);
        uint256 refundable = Math.min(left / 4, autoPay.refundableOf(address(token), to));
        refunds[0] = Refund("call", to, uint128(bound(refundShare, 1, refundable)));
        uint64 logSize = uint64(Math.max(_log.latestSize() + bound(growth, 0, 3), 1));

        uint256 batchId = autoPay.book(address(token), spends, refunds, logSize);
        assertEq(autoPay.getBatch(batchId).spendsHash, keccak256(abi.encode(expected)), "booked as judged here");
        for (uint256 i = 0; i < 3; ++i) _spendsOf[batchId].push(expected[i]);
        _bookings.push(Booking(logSize, _now, false, false));
        bookedWithin += within;
        bookedOver += over;
        refundsBookedTo[to] += refunds[0].amount;
        if (customer % 2 == 0) refunded += refunds[0].amount;
        else refundsWaiting += refunds[0].amount;
        done["book"]++;
        if (over != 0) done["book over budget"]++;
    }

    function anchor(uint64 growth) external {
        _tick();
        uint64 previousSize = _log.latestSize();
        uint64 size = previousSize + uint64(bound(growth, 1, 1000));
        _log.anchor(size, "root", "cid");
        _anchors.push(Anchor(size, previousSize, uint64(_now), "root", "cid"));
        done["anchor"]++;
    }

    function release(uint256 seed) external {
        _release(seed, true);
    }

    function releaseOverBudget(uint256 seed) external {
        _release(seed, false);
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
        refunded += amount;
        refundsWaiting -= amount;
        done["claimRefund"]++;
    }

    function depositBond(uint256 amount) external {
        _depositBond(bound(amount, 1, 1e20));
        done["depositBond"]++;
    }

    function withdrawBond(uint256 amount) external {
        uint256 needed = frozen + owed + autoPay.unreleased(address(token));
        if (bond <= needed) return;
        amount = bound(amount, 1, bond - needed);
        autoPay.withdrawBond(address(token), amount);
        bond -= amount;
        done["withdrawBond"]++;
    }

    function freezeBond(uint256 amount) external {
        frozen += autoPay.freezeBond(address(token), bound(amount, 1, 1e19));
        done["freezeBond"]++;
    }

    function thawBond(uint256 amount) external {
        if (frozen == 0) return;
        amount = bound(amount, 1, frozen);
        autoPay.thawBond(address(token), amount);
        frozen -= amount;
        done["thawBond"]++;
    }

    function oweBond(uint256 amount) external {
        amount = bound(amount, 1, 1e18);
        autoPay.oweBond(address(token), amount);
        owed += amount;
        done["oweBond"]++;
    }

    function settleOwed(uint256 amount) external {
        if (owed == 0) return;
        amount = bound(amount, 1, owed);
        autoPay.settleOwed(address(token), amount);
        owed -= amount;
        done["settleOwed"]++;
    }

    function slashBond(uint256 refund, uint256 penalty, uint256 customer) external {
        (uint256 paid, uint256 lost) = autoPay.slashBond(
            address(token),
            customerAt(customer),
            bound(refund, 1, 1e18),
            bound(penalty, 1, 1e18)
        );
        if (customer % 2 == 0) refunded += paid;
        else refundsWaiting += paid;
        burned += lost;
        bond -= paid + lost;
        done["slashBond"]++;
    }

    /// @dev Calls within the day's cap; each second one twice, which must change nothing.
    function executeLLMCall(uint256 units, bool withCallId) external {
        _tick();
        units = bound(units, 1, CAP / UNIT / 4);
        (uint256 cap, uint256 spent) = autoPay.dailyCapOf(wallet("payer"));
        if (spent + units * UNIT > cap) return;
        if (withCallId) {
            bytes16 callId = bytes16(++_calls);
            uint32 day = uint32(_now / 1 days);
            if (budgets.spentOf(ALLOWANCE_MODEL, day) + units * UNIT > LIMIT) return;
            autoPay.executeLLMCall(wallet("payer"), "even", "allowance model", units, callId);
            autoPay.executeLLMCall(wallet("payer"), "even", "allowance model", units, callId);
        } else {
            autoPay.executeLLMCall(wallet("payer"), "even", units);
        }
        allowanceCosts += units * UNIT;
        done["executeLLMCall"]++;
    }

    function withdrawApiCredits() external {
        bytes32 id = keccak256(abi.encode(wallet("payer"), "even"));
        if (autoPay.apiCredits(id) == 0) return;
        allowanceWithdrawn += autoPay.withdrawCredits(id);
        done["withdrawApiCredits"]++;
    }

    /// @dev A vote: the limit of a model from tomorrow on.
    function setModelBudget(uint256 limit) external {
        budgets.setModelBudget("tight", bound(limit, 0, 1e19));
        done["setModelBudget"]++;
    }

    function passDay() external {
        _now += 1 days;
        vm.warp(_now);
        done["passDay"]++;
    }

    function payoutAt(uint256 index) public pure returns (address) {
        return wallet(index % 2 == 0 ? "payout even" : "payout odd");
    }

    function customerAt(uint256 index) public pure returns (address) {
        return wallet(index % 2 == 0 ? "customer" : "blocked customer");
    }

    function modelAt(uint256 index) public pure returns (bytes32) {
        return keccak256(index % 2 == 0 ? bytes("loose") : bytes("tight"));
    }

    /// @dev Sum of both providers' credits.
    function credits() external view returns (uint256 total) {
        for (uint256 i = 0; i < 2; ++i) {
            total += autoPay.getCredit(autoPay.creditId(address(token), _provider(i), payoutAt(i))).amount;
        }
    }

    function today() external view returns (uint32) {
        return uint32(_now / 1 days);
    }

    function _config() private view returns (AutoPayLLMConfig memory) {
        ProviderPayout[] memory providers = new ProviderPayout[](2);
        providers[0] = ProviderPayout("even", payoutAt(0));
        providers[1] = ProviderPayout("odd", payoutAt(1));
        return
            AutoPayLLMConfig({
                paymentChannels: channels,
                auditLog: _log,
                modelBudgets: budgets,
                agpt: agpt,
                admin: address(this),
                relay: address(this),
                guardian: address(this),
                bondPayout: wallet("bond payout"),
                disputeWindow: 3600,
                providers: providers
            });
    }

    /// @dev Three spends: of a loose model today, of a tight one yesterday, of the loose one the day before (too late).
    function _plan(uint128[3] calldata shares, uint256 left) private view returns (Spend[] memory spends) {
        spends = new Spend[](3);
        uint32 day = uint32(_now / 1 days);
        for (uint256 i = 0; i < 3; ++i) {
            spends[i] = Spend(day - uint32(i), modelAt(i), _provider(i), uint128(bound(shares[i], 0, left / 4)));
        }
    }

    /// @dev What the booking must answer, by limits and by what was booked here before.
    function _judge(
        Spend[] memory spends
    ) private returns (BookedSpend[] memory expected, uint256 within, uint256 over) {
        expected = new BookedSpend[](3);
        for (uint256 i = 0; i < 3; ++i) {
            Spend memory spend = spends[i];
            uint256 total = withinOf[spend.model][spend.day] + spend.amount;
            bool fits = i != 2 && total <= budgets.limitOf(spend.model, spend.day);
            if (fits) {
                withinOf[spend.model][spend.day] = total;
                within += spend.amount;
            } else {
                over += spend.amount;
            }
            expected[i] = BookedSpend(spend.day, spend.model, spend.provider, payoutAt(i), spend.amount, fits);
        }
    }

    /// @dev Releases one part of a batch that waits, with its anchor, at once or as soon as its window is over.
    function _release(uint256 seed, bool withinBudget) private {
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
            uint256 total = 0;
            for (uint256 j = 0; j < 3; ++j) if (spends[j].withinBudget == withinBudget) total += spends[j].amount;
            if (withinBudget) {
                autoPay.release(index + 1, spends, covering);
                booking.released = true;
                releasedWithin += total;
            } else {
                autoPay.releaseOverBudget(index + 1, spends, covering);
                booking.overBudgetReleased = true;
                releasedOver += total;
            }
            done[withinBudget ? "release" : "releaseOverBudget"]++;
            return;
        }
    }

    /// @dev Deposits what the bond lacks.
    function _topUpBond(uint256 required) private {
        uint256 needed = required + frozen + owed;
        if (bond < needed) _depositBond(needed - bond);
    }

    function _creditPayment(address from, uint256 amount) private {
        token.mint(address(this), amount);
        paidBy[from] += autoPay.creditPayment(address(token), from, amount);
    }

    function _depositBond(uint256 amount) private {
        token.mint(address(this), amount);
        autoPay.depositBond(address(token), amount);
        bond += amount;
    }

    function _provider(uint256 index) private pure returns (bytes32) {
        return keccak256(index % 2 == 0 ? bytes("even") : bytes("odd"));
    }

    function _tick() private {
        _now += 7;
        vm.warp(_now);
    }

    /// @dev The first anchor that covers a size.
    function _covering(uint64 logSize) private view returns (bool found, Anchor memory covering) {
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
        string[20] memory steps = [
            "collect",
            "creditPayment",
            "book",
            "book over budget",
            "anchor",
            "release",
            "releaseOverBudget",
            "withdrawCredits",
            "claimRefund",
            "depositBond",
            "withdrawBond",
            "freezeBond",
            "thawBond",
            "oweBond",
            "settleOwed",
            "slashBond",
            "executeLLMCall",
            "withdrawApiCredits",
            "setModelBudget",
            "passDay"
        ];
        for (uint256 i = 0; i < steps.length; ++i) {
            assertTrue(_handler.done(steps[i]) > 0, string.concat(steps[i], " never ran"));
        }
    }

    function invariant_5_BalanceCoversAllClaims() external view {
        address token = address(_handler.token());
        uint256 withheld = _handler.bookedOver() - _handler.releasedOver();
        uint256 owed =
            _handler.autoPay().unbooked(token) +
                _handler.autoPay().unreleased(token) +
                withheld +
                _handler.credits() +
                _handler.autoPay().bondOf(token).amount +
                _handler.autoPay().claimableRefunds(token, _handler.customerAt(1));
        assertEq(_handler.token().balanceOf(address(_handler.autoPay())), owed, "balance");
    }

    function invariant_6_NothingIsPaidTwice() external view {
        uint256 booked = _handler.bookedWithin() + _handler.bookedOver();
        uint256 released = _handler.releasedWithin() + _handler.releasedOver();
        uint256 came =
            _handler.collected() + _handler.paidBy(_handler.customerAt(0)) + _handler.paidBy(_handler.customerAt(1));
        assertTrue(booked + _handler.autoPay().unbooked(address(_handler.token())) <= came, "booked");
        assertTrue(released <= booked, "released <= booked");
        assertEq(_handler.withdrawn() + _handler.credits(), released, "withdrawn <= released");
        uint256 paid =
            _handler.token().balanceOf(_handler.payoutAt(0)) + _handler.token().balanceOf(_handler.payoutAt(1));
        assertEq(paid, _handler.withdrawn(), "providers got what was withdrawn");
        uint256 returned =
            _handler.token().balanceOf(_handler.customerAt(0)) + _handler.token().balanceOf(_handler.customerAt(1));
        assertEq(returned, _handler.refunded(), "customers got their refunds");
        assertEq(
            _handler.autoPay().claimableRefunds(address(_handler.token()), _handler.customerAt(1)),
            _handler.refundsWaiting(),
            "the others wait"
        );
    }

    function invariant_7_BookingsStayWithinTheLimitOfModelAndDay() external view {
        uint32 today = _handler.today();
        for (uint32 day = today - 2; day <= today; ++day) {
            for (uint256 i = 0; i < 2; ++i) {
                bytes32 model = _handler.modelAt(i);
                uint256 within = _handler.withinOf(model, day);
                assertTrue(within <= _handler.budgets().limitOf(model, day), "within the limit");
                assertEq(_handler.budgets().spentOf(model, day), within, "and counted");
            }
        }
    }

    function invariant_8_TheBondCoversWhatDisputesHold() external view {
        Bond memory bond = _handler.autoPay().bondOf(address(_handler.token()));
        assertTrue(bond.frozen <= bond.amount, "frozen <= amount");
        assertEq(bond.amount, _handler.bond(), "amount");
        assertEq(bond.frozen, _handler.frozen(), "frozen");
        assertEq(bond.owed, _handler.owed(), "owed");
        assertEq(_handler.token().balanceOf(_handler.autoPay().BURN_ADDRESS()), _handler.burned(), "burned");
        assertEq(
            _handler.autoPay().unreleased(address(_handler.token())),
            _handler.bookedWithin() - _handler.releasedWithin(),
            "unreleased"
        );
    }

    function invariant_9_AllowanceCallsPayOnceWithinTheCap() external view {
        uint256 held = _handler.agpt().balanceOf(address(_handler.autoPay()));
        assertEq(held + _handler.allowanceWithdrawn(), _handler.allowanceCosts(), "each call paid once");
        (uint256 cap, uint256 spent) = _handler.autoPay().dailyCapOf(wallet("payer"));
        assertTrue(spent <= cap, "within the cap");
    }

    function invariant_10_NoWalletIsRefundedMoreThanItPaid() external view {
        address token = address(_handler.token());
        for (uint256 i = 0; i < 2; ++i) {
            address customer = _handler.customerAt(i);
            uint256 refunded = _handler.refundsBookedTo(customer);
            uint256 refundable = _handler.autoPay().refundableOf(token, customer);
            assertTrue(refunded <= _handler.paidBy(customer), "refunded <= paid");
            assertEq(refunded + refundable, _handler.paidBy(customer), "the rest is refundable");
        }
    }
}
