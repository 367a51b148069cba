// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Credit, IAutoPayLLM} from "../interfaces/IAutoPayLLM.sol";
import {HeldFunds} from "./HeldFunds.sol";

/// @title ProviderCredits
/// @notice The part of AutoPayLLM that knows providers: their names, where they are paid, and what they may withdraw.
/// @dev A credit is bound to the address that was registered when it arose. Two kinds share one space of identifiers:
/// those of bookings hash three words, those of allowance calls at least four, so they cannot meet.
abstract contract ProviderCredits is HeldFunds, AccessControl {
    /// @dev What calls of one user earned one provider. One slot, because every allowance call writes it.
    struct ApiCredit {
        address payout;
        uint96 amount;
    }

    /// @inheritdoc IAutoPayLLM
    uint256 public constant MAX_NAME_BYTES = 128;

    /// @inheritdoc IAutoPayLLM
    IERC20 public immutable agpt;

    /// @inheritdoc IAutoPayLLM
    mapping(bytes32 provider => address payout) public payoutOf;

    /// @inheritdoc IAutoPayLLM
    mapping(bytes32 id => bool registered) public isNameRegistered;

    mapping(bytes32 id => Credit credit) private _credits;
    mapping(bytes32 id => ApiCredit credit) private _apiCredits;

    constructor(IERC20 agpt_) {
        require(address(agpt_) != address(0), AutoPayLLM_ZeroAddress());
        agpt = agpt_;
    }

    /// @inheritdoc IAutoPayLLM
    function registerName(string calldata name) external returns (bytes32 id) {
        return _registerName(name);
    }

    /// @inheritdoc IAutoPayLLM
    function setProvider(bytes32 provider, address payout) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setProvider(provider, payout);
    }

    /// @inheritdoc IAutoPayLLM
    function withdrawCredits(bytes32 id) external nonReentrant returns (uint256 amount) {
        // Check: something is earned.
        (address token, address payout) = (_credits[id].token, _credits[id].payout);
        amount = _credits[id].amount;
        bool isApiCredit = amount == 0;
        if (isApiCredit) (token, payout, amount) = (address(agpt), _apiCredits[id].payout, _apiCredits[id].amount);
        require(amount != 0, AutoPayLLM_NothingToWithdraw());

        // Effect: it is withdrawn.
        if (isApiCredit) _apiCredits[id].amount = 0;
        else _credits[id].amount = 0;
        emit CreditsWithdrawn(id, token, payout, amount);

        // Interaction: the payment.
        _pay(token, payout, amount);
    }

    /// @inheritdoc IAutoPayLLM
    function getCredit(bytes32 id) external view returns (Credit memory) {
        return _credits[id];
    }

    /// @inheritdoc IAutoPayLLM
    function apiCredits(bytes32 id) external view returns (uint256) {
        return _apiCredits[id].amount;
    }

    /// @inheritdoc IAutoPayLLM
    function creditId(address token, bytes32 provider, address payout) public pure returns (bytes32) {
        return keccak256(abi.encode(token, provider, payout));
    }

    /// @dev Adds to the credit of a provider at one address.
    function _addCredit(address token, bytes32 provider, address payout, uint256 amount) internal {
        bytes32 id = creditId(token, provider, payout);
        Credit storage credit = _credits[id];
        if (credit.payout == address(0)) {
            credit.token = token;
            credit.payout = payout;
        }
        credit.amount += amount;
        emit CreditAdded(id, token, provider, payout, amount);
    }

    /// @dev Adds to what a user's calls earned a provider. What an earlier address has left is moved to that address's
    /// own credit.
    function _addApiCredit(bytes32 id, bytes32 provider, address payout, uint256 amount) internal {
        ApiCredit memory credit = _apiCredits[id];
        if (credit.amount != 0 && credit.payout != payout) {
            emit ApiCreditMoved(id, creditId(address(agpt), provider, credit.payout), credit.amount);
            _addCredit(address(agpt), provider, credit.payout, credit.amount);
            credit.amount = 0;
        }
        uint256 total = credit.amount + amount;
        require(total <= type(uint96).max, AutoPayLLM_AmountTooLarge(total, type(uint96).max));
        _apiCredits[id] = ApiCredit(payout, uint96(total));
    }

    /// @dev The address of a provider that may be paid.
    function _requirePayout(bytes32 provider) internal view returns (address payout) {
        payout = payoutOf[provider];
        require(payout != address(0), AutoPayLLM_ProviderUnknown(provider));
    }

    /// @dev Publishes a name; once is enough.
    function _registerName(string memory name) internal returns (bytes32 id) {
        uint256 lengthBytes = bytes(name).length;
        require(lengthBytes != 0 && lengthBytes <= MAX_NAME_BYTES, AutoPayLLM_NameLength(lengthBytes, MAX_NAME_BYTES));
        id = keccak256(bytes(name));
        if (isNameRegistered[id]) return id;

        isNameRegistered[id] = true;
        emit NameRegistered(id, name);
    }

    /// @dev Sets where a provider is paid.
    function _setProvider(bytes32 provider, address payout) internal {
        payoutOf[provider] = payout;
        emit ProviderSet(provider, payout);
    }
}
