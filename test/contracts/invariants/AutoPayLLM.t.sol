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

/// @notice Random but valid steps of a relay, its admin, disputes, providers, customers and voters, in two tokens; a step
/// that fits nothing does nothing.
/// @dev This contract holds every role. In this file, because Hardhat's runner calls only contracts of the test files.
contract AutoPayLLMHandler is TestBase {
    uint256 private constant START = 1_760_000_000;
    uint128 private constant DEPOSIT = 1e24;
    uint256 private constant LIMIT = 1e20;
    uint256 private constant CAP = 1e18;
    uint256 private constant UNIT = 8e14;
    bytes32 private constant ALLOWANCE_MODEL = keccak256("allowance model");

    /// @dev Of the second token, in AGPT: a rate that does not divide evenly.
    uint256 private constant SECOND_RATE = 3e17 + 1;

    /// @dev What was done with one token.
    struct Books {
        uint256 collected;
        uint256 bookedWithin;
        uint256 bookedOver;
        uint256 releasedWithin;
        uint256 releasedOver;
        uint256 withdrawn;
        uint256 refunded;
        uint256 refundsWaiting;
        uint256 bond;
        uint256 frozen;
        uint256 owed;
        uint256 burned;
    }

    struct Booking {
        address token;
        uint64 logSize;
        uint256 at;
        bool released;
        bool overBudgetReleased;
    }

    PaymentChannels public channels;
    AutoPayLLM public autoPay;
    ModelBudgets public budgets;
    TestToken public agpt;
    mapping(address token => mapping(address customer => uint256 amount)) public paidBy;
    mapping(address token => mapping(address customer => uint256 amount)) public refundsBookedTo;
    uint256 public allowanceCosts;
    uint256 public allowanceWithdrawn;
    mapping(string step => uint256 count) public done;
    /// @dev In AGPT, of both tokens together.
    mapping(bytes32 model => mapping(uint32 day => uint256 amountAgpt)) public withinOf;

    AuditLog private _log;
    MoodyToken[2] private _tokens;
    mapping(address token => Books books) private _books;
    Booking[] private _bookings;
    mapping(uint256 batchId => BookedSpend[] spends) private _spendsOf;
    Anchor[] private _anchors;
    ChannelId[2] private _channelIds;
    uint96[2] private _settled;
    uint128 private _calls;
    uint256 private _now = START;

    constructor() {
        vm.warp(START);
        channels = PaymentChannels(create("PaymentChannels", ""));
        for (uint256 i = 0; i < 2; ++i) _tokens[i] = new MoodyToken();
        agpt = new TestToken();
        _log = AuditLog(create("AuditLog", abi.encode(address(this), address(this))));
        InitialRate[] memory rates = new InitialRate[](2);
        rates[0] = InitialRate(tokenAt(0), 1e18);
        rates[1] = InitialRate(tokenAt(1), SECOND_RATE);
        budgets = ModelBudgets(create("ModelBudgets", abi.encode(address(this), address(agpt), LIMIT, rates)));
        autoPay = AutoPayLLM(create("AutoPayLLM", abi.encode(_config())));
        budgets.setConsumer(address(autoPay));
        autoPay.grantRole(autoPay.DISPUTES_ROLE(), address(this));
        autoPay.grantRole(autoPay.DESK_ROLE(), address(this));
        address payer = wallet("payer");
        for (uint256 i = 0; i < 2; ++i) {
            MoodyToken token = _tokens[i];
            token.setMood(customerAt(1), MoodyToken.Mood.Blocked);
            token.approve(address(autoPay), type(uint256).max);
            token.mint(payer, DEPOSIT);
            vm.prank(payer);
            token.approve(address(channels), DEPOSIT);
            vm.prank(payer);
            _channelIds[i] = channels.open(address(autoPay), address(token), DEPOSIT, "salt", address(0));
        }
        agpt.mint(payer, DEPOSIT);
        vm.prank(payer);
        agpt.approve(address(autoPay), type(uint256).max);
        vm.prank(payer);
        autoPay.setDailyCap(CAP);
    }

    function collect(uint256 which, uint96 amount) external {
        _tick();
        which %= 2;
        uint96 settled = _settled[which] + uint96(bound(amount, 1, 1e20));
        _settled[which] = settled;
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf("payer"), channels.hashVoucher(_channelIds[which], settled));
        bytes32 compact = bytes32(uint256(s) | (uint256(v - 27) << 255));
        bytes memory claim = abi.encodePacked(
            wallet("payer"),
            bytes32("salt"),
            address(0),
            settled,
            settled,
            r,
            compact
        );
        _books[tokenAt(which)].collected += autoPay.collect(tokenAt(which), claim);
        done["collect"]++;
    }

    function creditPayment(uint256 which, uint96 amount, uint256 customer) external {
        _tick();
        amount = uint96(bound(amount, 1, 1e19));
        _creditPayment(tokenAt(which), customerAt(customer), amount);
        done["creditPayment"]++;
    }

    function book(
        uint256 which,
        uint128[3] calldata shares,
        uint256 refundShare,
        uint64 growth,
        uint256 customer
    ) external {
        _tick();
        address token = tokenAt(which);
        if (autoPay.refundableOf(token, customerAt(customer)) == 0) _creditPayment(token, customerAt(customer), 1e18);
        uint256 left = autoPay.unbooked(token);
        if (left < 4) return;
        Spend[] memory spends = _plan(shares, left);
        BookedSpend[] memory expected = _judge(token, spends);
        Refund[] memory refunds = _planRefund(token, customerAt(customer), refundShare, left / 4);
        _book(token, spends, expected, refunds, uint64(Math.max(_log.latestSize() + bound(growth, 0, 3), 1)));
        done[which % 2 == 0 ? "book" : "book second token"]++;
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

    function withdrawCredits(uint256 which, uint256 provider) external {
        address token = tokenAt(which);
        bytes32 id = autoPay.creditId(token, _provider(provider), payoutAt(provider));
        if (autoPay.getCredit(id).amount == 0) return;
        _books[token].withdrawn += autoPay.withdrawCredits(id);
        done["withdrawCredits"]++;
    }

    function claimRefund(uint256 which) external {
        MoodyToken token = _tokens[which % 2];
        address customer = customerAt(1);
        if (autoPay.claimableRefunds(address(token), customer) == 0) return;
        token.setMood(customer, MoodyToken.Mood.Good);
        uint256 amount = autoPay.claimRefund(address(token), customer);
        token.setMood(customer, MoodyToken.Mood.Blocked);
        _books[address(token)].refunded += amount;
        _books[address(token)].refundsWaiting -= amount;
        done["claimRefund"]++;
    }

    function depositBond(uint256 which, uint256 amount) external {
        _depositBond(tokenAt(which), bound(amount, 1, 1e20));
        done["depositBond"]++;
    }

    function withdrawBond(uint256 which, uint256 amount) external {
        address token = tokenAt(which);
        Books storage books = _books[token];
        uint256 needed = books.frozen + books.owed + autoPay.unreleased(token);
        if (books.bond <= needed) return;
        amount = bound(amount, 1, books.bond - needed);
        autoPay.withdrawBond(token, amount);
        books.bond -= amount;
        done["withdrawBond"]++;
    }

    function freezeBond(uint256 which, uint256 amount) external {
        address token = tokenAt(which);
        _books[token].frozen += autoPay.freezeBond(token, bound(amount, 1, 1e19));
        done["freezeBond"]++;
    }

    function thawBond(uint256 which, uint256 amount) external {
        address token = tokenAt(which);
        Books storage books = _books[token];
        if (books.frozen == 0) return;
        amount = bound(amount, 1, books.frozen);
        autoPay.thawBond(token, amount);
        books.frozen -= amount;
        done["thawBond"]++;
    }

    function oweBond(uint256 which, uint256 amount) external {
        address token = tokenAt(which);
        amount = bound(amount, 1, 1e18);
        autoPay.oweBond(token, amount);
        _books[token].owed += amount;
        done["oweBond"]++;
    }

    function settleOwed(uint256 which, uint256 amount) external {
        address token = tokenAt(which);
        Books storage books = _books[token];
        if (books.owed == 0) return;
        amount = bound(amount, 1, books.owed);
        autoPay.settleOwed(token, amount);
        books.owed -= amount;
        done["settleOwed"]++;
    }

    function slashBond(uint256 which, uint256 refund, uint256 penalty, uint256 customer) external {
        address token = tokenAt(which);
        (uint256 paid, uint256 lost) = autoPay.slashBond(
            token,
            customerAt(customer),
            bound(refund, 1, 1e18),
            bound(penalty, 1, 1e18)
        );
        Books storage books = _books[token];
        if (customer % 2 == 0) books.refunded += paid;
        else books.refundsWaiting += paid;
        books.burned += lost;
        books.bond -= paid + lost;
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

    function tokenAt(uint256 index) public view returns (address) {
        return address(_tokens[index % 2]);
    }

    function booksOf(address token) external view returns (Books memory) {
        return _books[token];
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
    function credits(address token) external view returns (uint256 total) {
        for (uint256 i = 0; i < 2; ++i) {
            total += autoPay.getCredit(autoPay.creditId(token, _provider(i), payoutAt(i))).amount;
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

    /// @dev One refund to a customer, of at most a share of what is left, and of what it paid.
    function _planRefund(
        address token,
        address to,
        uint256 refundShare,
        uint256 most
    ) private view returns (Refund[] memory refunds) {
        refunds = new Refund[](1);
        uint256 refundable = Math.min(most, autoPay.refundableOf(token, to));
        refunds[0] = Refund("call", to, uint128(bound(refundShare, 1, refundable)));
    }

    /// @dev Books, checks that it was judged as here, and counts it.
    function _book(
        address token,
        Spend[] memory spends,
        BookedSpend[] memory expected,
        Refund[] memory refunds,
        uint64 logSize
    ) private {
        uint256 batchId = autoPay.book(token, spends, refunds, logSize);
        assertEq(autoPay.getBatch(batchId).spendsHash, keccak256(abi.encode(expected)), "booked as judged here");
        _bookings.push(Booking(token, logSize, _now, false, false));
        Books storage books = _books[token];
        bool isOver = false;
        for (uint256 i = 0; i < 3; ++i) {
            _spendsOf[batchId].push(expected[i]);
            if (expected[i].withinBudget) books.bookedWithin += expected[i].amount;
            else books.bookedOver += expected[i].amount;
            if (!expected[i].withinBudget && expected[i].amount != 0) isOver = true;
        }
        if (isOver) done["book over budget"]++;
        Refund memory refund = refunds[0];
        refundsBookedTo[token][refund.to] += refund.amount;
        if (refund.to == customerAt(0)) books.refunded += refund.amount;
        else books.refundsWaiting += refund.amount;
    }

    /// @dev What the booking must answer, by limits and by what was booked here before; and a bond that suffices for it.
    function _judge(address token, Spend[] memory spends) private returns (BookedSpend[] memory expected) {
        expected = new BookedSpend[](3);
        uint256 within = 0;
        for (uint256 i = 0; i < 3; ++i) {
            Spend memory spend = spends[i];
            uint256 amountAgpt =
                token == tokenAt(0) ? spend.amount : Math.ceilDiv(uint256(spend.amount) * SECOND_RATE, 1e18);
            uint256 total = withinOf[spend.model][spend.day] + amountAgpt;
            bool fits = i != 2 && total <= budgets.limitOf(spend.model, spend.day);
            if (fits) {
                withinOf[spend.model][spend.day] = total;
                within += spend.amount;
            }
            expected[i] = BookedSpend(spend.day, spend.model, spend.provider, payoutAt(i), spend.amount, fits);
        }
        _topUpBond(token, autoPay.unreleased(token) + within);
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
                _books[booking.token].releasedWithin += total;
            } else {
                autoPay.releaseOverBudget(index + 1, spends, covering);
                booking.overBudgetReleased = true;
                _books[booking.token].releasedOver += total;
            }
            done[withinBudget ? "release" : "releaseOverBudget"]++;
            return;
        }
    }

    /// @dev Deposits what the bond lacks.
    function _topUpBond(address token, uint256 required) private {
        Books storage books = _books[token];
        uint256 needed = required + books.frozen + books.owed;
        if (books.bond < needed) _depositBond(token, needed - books.bond);
    }

    function _creditPayment(address token, address from, uint256 amount) private {
        MoodyToken(token).mint(address(this), amount);
        paidBy[token][from] += autoPay.creditPayment(token, from, amount);
    }

    function _depositBond(address token, uint256 amount) private {
        MoodyToken(token).mint(address(this), amount);
        autoPay.depositBond(token, amount);
        _books[token].bond += amount;
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
        string[21] memory steps = [
            "collect",
            "creditPayment",
            "book",
            "book second token",
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
        AutoPayLLM autoPay = _handler.autoPay();
        for (uint256 i = 0; i < 2; ++i) {
            address token = _handler.tokenAt(i);
            AutoPayLLMHandler.Books memory books = _handler.booksOf(token);
            uint256 owed =
                autoPay.unbooked(token) +
                    autoPay.unreleased(token) +
                    (books.bookedOver - books.releasedOver) +
                    _handler.credits(token) +
                    autoPay.bondOf(token).amount +
                    autoPay.claimableRefunds(token, _handler.customerAt(1));
            assertEq(TestToken(token).balanceOf(address(autoPay)), owed, "balance");
        }
    }

    function invariant_6_NothingIsPaidTwice() external view {
        for (uint256 i = 0; i < 2; ++i) {
            address token = _handler.tokenAt(i);
            AutoPayLLMHandler.Books memory books = _handler.booksOf(token);
            uint256 booked = books.bookedWithin + books.bookedOver;
            uint256 released = books.releasedWithin + books.releasedOver;
            uint256 came =
                books.collected +
                    _handler.paidBy(token, _handler.customerAt(0)) +
                    _handler.paidBy(token, _handler.customerAt(1));
            assertTrue(booked + _handler.autoPay().unbooked(token) <= came, "booked");
            assertTrue(released <= booked, "released <= booked");
            assertEq(books.withdrawn + _handler.credits(token), released, "withdrawn <= released");
            assertEq(_held(token, _handler.payoutAt(0), _handler.payoutAt(1)), books.withdrawn, "withdrawn is paid");
            assertEq(_held(token, _handler.customerAt(0), _handler.customerAt(1)), books.refunded, "refunds are paid");
            uint256 waiting = _handler.autoPay().claimableRefunds(token, _handler.customerAt(1));
            assertEq(waiting, books.refundsWaiting, "the others wait");
        }
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
        AutoPayLLM autoPay = _handler.autoPay();
        for (uint256 i = 0; i < 2; ++i) {
            address token = _handler.tokenAt(i);
            AutoPayLLMHandler.Books memory books = _handler.booksOf(token);
            Bond memory bond = autoPay.bondOf(token);
            assertTrue(bond.frozen <= bond.amount, "frozen <= amount");
            assertEq(bond.amount, books.bond, "amount");
            assertEq(bond.frozen, books.frozen, "frozen");
            assertEq(bond.owed, books.owed, "owed");
            assertEq(TestToken(token).balanceOf(autoPay.BURN_ADDRESS()), books.burned, "burned");
            assertEq(autoPay.unreleased(token), books.bookedWithin - books.releasedWithin, "unreleased");
        }
    }

    function invariant_9_AllowanceCallsPayOnceWithinTheCap() external view {
        uint256 held = _handler.agpt().balanceOf(address(_handler.autoPay()));
        assertEq(held + _handler.allowanceWithdrawn(), _handler.allowanceCosts(), "each call paid once");
        (uint256 cap, uint256 spent) = _handler.autoPay().dailyCapOf(wallet("payer"));
        assertTrue(spent <= cap, "within the cap");
    }

    function invariant_10_NoWalletIsRefundedMoreThanItPaid() external view {
        for (uint256 i = 0; i < 4; ++i) {
            (address token, address customer) = (_handler.tokenAt(i / 2), _handler.customerAt(i));
            uint256 refunded = _handler.refundsBookedTo(token, customer);
            uint256 refundable = _handler.autoPay().refundableOf(token, customer);
            assertTrue(refunded <= _handler.paidBy(token, customer), "refunded <= paid");
            assertEq(refunded + refundable, _handler.paidBy(token, customer), "the rest is refundable");
        }
    }

    function _held(address token, address one, address other) private view returns (uint256) {
        return TestToken(token).balanceOf(one) + TestToken(token).balanceOf(other);
    }
}
