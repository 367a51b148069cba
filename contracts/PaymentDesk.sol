// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IAutoPayLLM} from "./interfaces/IAutoPayLLM.sol";
import {IPaymentDesk, SignedPayment} from "./interfaces/IPaymentDesk.sol";
import {IPermit2, PermitTransferFrom, TokenPermissions} from "./interfaces/IPermit2.sol";
import {ITransferWithAuthorization} from "./interfaces/ITransferWithAuthorization.sol";
import {ExactWitness, IX402ExactPermit2Proxy} from "./interfaces/IX402ExactPermit2Proxy.sol";
import {IX402UptoPermit2Proxy, UptoWitness} from "./interfaces/IX402UptoPermit2Proxy.sol";
import {PaymentHashes} from "./libraries/PaymentHashes.sol";
import {VoucherSignatures} from "./libraries/VoucherSignatures.sol";

/// @title PaymentDesk
/// @notice See `IPaymentDesk`.
contract PaymentDesk is IPaymentDesk, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @inheritdoc IPaymentDesk
    uint256 public constant ERC1271_GAS_LIMIT = 200_000;

    /// @dev As in AutoPayLLM.
    bytes32 private constant RELAY_ROLE = keccak256("RELAY_ROLE");

    /// @inheritdoc IPaymentDesk
    IAutoPayLLM public immutable autoPayLLM;

    /// @inheritdoc IPaymentDesk
    IPermit2 public immutable permit2;

    /// @inheritdoc IPaymentDesk
    IX402ExactPermit2Proxy public immutable exactProxy;

    /// @inheritdoc IPaymentDesk
    IX402UptoPermit2Proxy public immutable uptoProxy;

    /// @inheritdoc IPaymentDesk
    mapping(address authority => mapping(address from => mapping(bytes32 nonce => uint256 amount))) public receivedOf;

    /// @dev A relay of AutoPayLLM.
    modifier onlyRelay() {
        require(IAccessControl(address(autoPayLLM)).hasRole(RELAY_ROLE, msg.sender), PaymentDesk_NotRelay(msg.sender));
        _;
    }

    constructor(IAutoPayLLM business, IPermit2 permits, IX402ExactPermit2Proxy exact, IX402UptoPermit2Proxy upto) {
        require(
            address(business) != address(0) &&
                address(permits) != address(0) &&
                address(exact) != address(0) &&
                address(upto) != address(0),
            PaymentDesk_ZeroAddress()
        );
        autoPayLLM = business;
        permit2 = permits;
        exactProxy = exact;
        uptoProxy = upto;
    }

    /// @inheritdoc IPaymentDesk
    function acceptAuthorization(
        SignedPayment calldata payment,
        bytes calldata signature
    ) external nonReentrant onlyRelay returns (uint256 received) {
        // Check: the first time.
        address token = payment.token;
        _requireNotReceived(token, payment);

        // Interaction first: only what arrives can be handed on.
        uint256 balanceBefore = _balance(token);
        ITransferWithAuthorization(token).transferWithAuthorization(
            payment.from,
            address(this),
            payment.amount,
            payment.validAfter,
            payment.validBefore,
            payment.nonce,
            signature
        );
        received = _handOver(token, payment, balanceBefore, payment.amount);
        emit PaymentAccepted(token, payment.from, payment.nonce, token, received);
    }

    /// @inheritdoc IPaymentDesk
    function acceptPermit2(
        SignedPayment calldata payment,
        bytes calldata signature
    ) external nonReentrant onlyRelay returns (uint256 received) {
        // Check: the first time.
        address token = payment.token;
        _requireNotReceived(address(permit2), payment);

        // Interaction first: only what arrives can be handed on.
        uint256 balanceBefore = _balance(token);
        ExactWitness memory witness = ExactWitness(address(this), payment.validAfter);
        exactProxy.settle(_permit(payment), payment.from, witness, signature);
        received = _handOver(address(permit2), payment, balanceBefore, payment.amount);
        emit PaymentAccepted(address(permit2), payment.from, payment.nonce, token, received);
    }

    /// @inheritdoc IPaymentDesk
    function acceptUpto(
        SignedPayment calldata payment,
        uint256 amount,
        bytes calldata signature
    ) external nonReentrant onlyRelay returns (uint256 received) {
        // Check: the first time, and no more than was signed.
        address token = payment.token;
        _requireNotReceived(address(permit2), payment);
        require(amount <= payment.amount, PaymentDesk_AmountTooHigh(amount, payment.amount));

        // Interaction first: only what arrives can be handed on.
        uint256 balanceBefore = _balance(token);
        UptoWitness memory witness = UptoWitness(address(this), address(this), payment.validAfter);
        uptoProxy.settle(_permit(payment), amount, payment.from, witness, signature);
        received = _handOver(address(permit2), payment, balanceBefore, amount);
        emit PaymentAccepted(address(permit2), payment.from, payment.nonce, token, received);
    }

    /// @inheritdoc IPaymentDesk
    function attributeAuthorization(
        SignedPayment calldata payment,
        bytes calldata signature
    ) external nonReentrant onlyRelay returns (uint256 received) {
        // Check: the first time; signed, and submitted by somebody else.
        ITransferWithAuthorization token = ITransferWithAuthorization(payment.token);
        _requireNotReceived(address(token), payment);
        require(
            token.authorizationState(payment.from, payment.nonce),
            PaymentDesk_NotSubmitted(address(token), payment.from, payment.nonce)
        );
        _requireSigned(payment, token.DOMAIN_SEPARATOR(), PaymentHashes.hashAuthorization(payment), signature);
        _requireWhole(payment);

        received = _handOver(address(token), payment, 0, payment.amount);
        emit PaymentAttributed(address(token), payment.from, payment.nonce, address(token), received);
    }

    /// @inheritdoc IPaymentDesk
    function attributePermit2(
        SignedPayment calldata payment,
        bytes calldata signature
    ) external nonReentrant onlyRelay returns (uint256 received) {
        // Check: the first time; signed, and submitted by somebody else.
        _requireNotReceived(address(permit2), payment);
        uint256 nonce = uint256(payment.nonce);
        require(
            (permit2.nonceBitmap(payment.from, nonce >> 8) >> (nonce & 0xff)) & 1 == 1,
            PaymentDesk_NotSubmitted(address(permit2), payment.from, payment.nonce)
        );
        bytes32 structHash = PaymentHashes.hashExactPermit(payment, address(exactProxy));
        _requireSigned(payment, permit2.DOMAIN_SEPARATOR(), structHash, signature);
        _requireWhole(payment);

        received = _handOver(address(permit2), payment, 0, payment.amount);
        emit PaymentAttributed(address(permit2), payment.from, payment.nonce, payment.token, received);
    }

    /// @dev Hands on what arrived since a balance, and no more than a maximum: in the middle of its transfer a token
    /// with hooks could bring somebody else's payment here, too.
    function _handOver(
        address authority,
        SignedPayment calldata payment,
        uint256 balanceBefore,
        uint256 maximum
    ) private returns (uint256 received) {
        address token = payment.token;
        uint256 balance = _balance(token);
        uint256 arrived = Math.min(Math.saturatingSub(balance, balanceBefore), maximum);
        require(arrived != 0, PaymentDesk_NothingArrived(token));

        // Interaction: AutoPayLLM takes it, and counts what arrives there.
        IERC20(token).forceApprove(address(autoPayLLM), arrived);
        received = autoPayLLM.creditPayment(token, payment.from, arrived);

        // Conservation: what else lies here stays.
        uint256 left = _balance(token);
        require(left + arrived >= balance, PaymentDesk_HandoverExceeded(token, balance - left, arrived));

        // Effect: not a second time. Nothing could be reentered meanwhile.
        receivedOf[authority][payment.from][payment.nonce] = received;
    }

    /// @dev Requires that a payment was not handed on yet.
    function _requireNotReceived(address authority, SignedPayment calldata payment) private view {
        require(
            receivedOf[authority][payment.from][payment.nonce] == 0,
            PaymentDesk_AlreadyReceived(authority, payment.from, payment.nonce)
        );
    }

    /// @dev Requires that all of a payment lies here.
    function _requireWhole(SignedPayment calldata payment) private view {
        uint256 balance = _balance(payment.token);
        require(balance >= payment.amount, PaymentDesk_PaymentIncomplete(payment.token, balance, payment.amount));
    }

    /// @dev Requires the signature of who pays.
    function _requireSigned(
        SignedPayment calldata payment,
        bytes32 domainSeparator,
        bytes32 structHash,
        bytes calldata signature
    ) private view {
        bytes32 digest = MessageHashUtils.toTypedDataHash(domainSeparator, structHash);
        require(
            VoucherSignatures.isValid(payment.from, digest, signature, ERC1271_GAS_LIMIT),
            PaymentDesk_InvalidSignature(payment.from, digest)
        );
    }

    /// @dev What this contract holds.
    function _balance(address token) private view returns (uint256) {
        return IERC20(token).balanceOf(address(this));
    }

    /// @dev The payment in the words of Permit2.
    function _permit(SignedPayment calldata payment) private pure returns (PermitTransferFrom memory) {
        return
            PermitTransferFrom({
                permitted: TokenPermissions(payment.token, payment.amount),
                nonce: uint256(payment.nonce),
                deadline: payment.validBefore
            });
    }
}
