// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {Rfc6962} from "../../../contracts/libraries/Rfc6962.sol";
import {MerkleTree} from "../helpers/MerkleTree.sol";
import {TestBase} from "../helpers/TestBase.sol";

contract Rfc6962Test is TestBase {
    /// @dev The largest tree of the vectors.
    uint64 private constant MAX_SIZE = 130;

    function verify(
        bytes32 root,
        uint64 size,
        uint64 index,
        bytes32 leafHash,
        bytes32[] calldata proof
    ) public pure returns (bool) {
        return Rfc6962.verifyInclusion(root, size, index, leafHash, proof);
    }

    function verifyGrowth(
        bytes32 olderRoot,
        uint64 olderSize,
        bytes32 newerRoot,
        uint64 newerSize,
        bytes32[] calldata proof
    ) public pure returns (bool) {
        return Rfc6962.verifyConsistency(olderRoot, olderSize, newerRoot, newerSize, proof);
    }

    function test_HashLeaf_OfNothing() external pure {
        // RFC 6962 test vector of the Certificate Transparency reference implementation.
        assertEq(
            Rfc6962.hashLeaf(""),
            0x6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d,
            "leaf of the empty entry"
        );
    }

    function test_HashNode_IsNoLeaf() external pure {
        assertEq(
            Rfc6962.hashNode("left", "right"),
            sha256(bytes.concat(hex"01", bytes32("left"), bytes32("right"))),
            "prefix, left, right"
        );
    }

    // Inclusion.

    function test_VerifyInclusion_EveryIndexOfEverySize() external view {
        string memory json = vm.readFile("protocol/vectors/vectors.json");
        bytes32[] memory roots = vm.parseJsonBytes32Array(json, ".merkleProofs.roots");
        bytes32[] memory digests = vm.parseJsonBytes32Array(json, ".merkleProofs.inclusionDigests");
        assertEq(roots.length, MAX_SIZE, "sizes");
        uint256 checked = 0;
        for (uint64 size = 1; size <= MAX_SIZE; ++size) {
            checked += this.checkInclusion(size, roots[size - 1], digests[size - 1]);
        }
        assertEq(checked, (MAX_SIZE * (MAX_SIZE + 1)) / 2, "pairs");
    }

    /// @dev All proofs of one size. A call of its own, because what it leaves in memory would make the next sizes dear.
    function checkInclusion(uint64 size, bytes32 root, bytes32 digest) external view returns (uint256 checked) {
        bytes32[] memory leaves = _leaves();
        assertEq(MerkleTree.root(leaves, 0, size), root, "root of the vectors");
        bytes32[][] memory proofs = MerkleTree.paths(leaves, size);
        assertEq(_digestOf(proofs), digest, "proofs of the vectors");
        for (uint64 index = 0; index < size; ++index) {
            assertTrue(this.verify(root, size, index, leaves[index], proofs[index]), "proof");
            ++checked;
        }
    }

    function test_VerifyInclusion_RefusesEveryFlippedByte() external view {
        bytes32[] memory leaves = _leaves();
        bytes32 root = MerkleTree.root(leaves, 0, MAX_SIZE);
        bytes32[][] memory proofs = MerkleTree.paths(leaves, MAX_SIZE);
        uint64[4] memory indexes = [uint64(0), 77, 128, 129];
        for (uint256 i = 0; i < indexes.length; ++i) {
            uint64 index = indexes[i];
            bytes32[] memory proof = proofs[index];
            assertTrue(this.verify(root, MAX_SIZE, index, leaves[index], proof), "untouched");
            for (uint256 position = 0; position < proof.length * 32; ++position) {
                _flip(proof, position, 0x01);
                assertEq(this.verify(root, MAX_SIZE, index, leaves[index], proof), false, "flipped");
                _flip(proof, position, 0x01);
            }
        }
    }

    function testFuzz_VerifyInclusion_RefusesWhatIsNotThere(uint64 a, uint64 b, uint64 c, uint256 bit) external view {
        bytes32[] memory leaves = _leaves();
        uint64 size = uint64(bound(a, 2, MAX_SIZE));
        uint64 index = uint64(bound(b, 0, size - 1));
        bytes32 root = MerkleTree.root(leaves, 0, size);
        bytes32[] memory proof = MerkleTree.path(leaves, index, 0, size);
        bytes32 leaf = leaves[index];
        bytes32 mask = bytes32(1 << (bit % 256));

        assertEq(this.verify(root ^ mask, size, index, leaf, proof), false, "root");
        assertEq(this.verify(root, size, index, leaf ^ mask, proof), false, "leaf");
        uint64 other = uint64(bound(c, 0, size - 1));
        if (other != index) assertEq(this.verify(root, size, other, leaf, proof), false, "index");
        assertEq(this.verify(root, size, size, leaf, proof), false, "index beyond the end");
        assertEq(this.verify(root, size, type(uint64).max, leaf, proof), false, "greatest index");
        assertEq(this.verify(root, 0, 0, leaf, proof), false, "empty tree");
        assertEq(this.verify(root, size, index, leaf, MerkleTree.append(proof, root)), false, "too long");
        assertEq(this.verify(root, size, index, leaf, _withoutLast(proof)), false, "too short");
        // A proof that ends below the root, at a node that is claimed to be the root.
        assertEq(this.verify(leaf, size, index, leaf, new bytes32[](0)), false, "below the root");
        // A proof that goes on above the root, and does hash to what is claimed to be the root.
        bytes32 above = Rfc6962.hashNode(mask, root);
        assertEq(this.verify(above, size, index, leaf, MerkleTree.append(proof, mask)), false, "above the root");
        proof[c % proof.length] ^= mask;
        assertEq(this.verify(root, size, index, leaf, proof), false, "sibling");
    }

    function testFuzz_VerifyInclusion_NeverReverts(
        bytes32 root,
        uint64 size,
        uint64 index,
        bytes32 leaf,
        bytes32[] calldata proof
    ) external view {
        bool single = size == 1 && index == 0 && proof.length == 0 && root == leaf;
        assertEq(this.verify(root, size, index, leaf, proof), single, "random proof");
    }

    function test_VerifyInclusion_OfTheLargestTree() external view {
        bytes32 root = "leaf";
        bytes32[] memory proof = new bytes32[](64);
        for (uint256 i = 0; i < 64; ++i) {
            proof[i] = bytes32(i);
            root = Rfc6962.hashNode(root, proof[i]);
        }
        assertTrue(this.verify(root, type(uint64).max, 0, "leaf", proof), "64 hashes");
        proof = MerkleTree.append(proof, "one more");
        root = Rfc6962.hashNode(root, "one more");
        assertEq(this.verify(root, type(uint64).max, 0, "leaf", proof), false, "65 hashes");
    }

    // Consistency.

    function test_VerifyConsistency_EveryOlderSizeOfEverySize() external view {
        string memory json = vm.readFile("protocol/vectors/vectors.json");
        bytes32[] memory roots = vm.parseJsonBytes32Array(json, ".merkleProofs.roots");
        bytes32[] memory digests = vm.parseJsonBytes32Array(json, ".merkleProofs.consistencyDigests");
        uint256 checked = 0;
        for (uint64 size = 1; size <= MAX_SIZE; ++size) {
            checked += this.checkConsistency(size, roots, digests[size - 1]);
        }
        assertEq(checked, (MAX_SIZE * (MAX_SIZE + 1)) / 2, "pairs");
    }

    /// @dev All proofs to one size; see `checkInclusion`.
    function checkConsistency(
        uint64 size,
        bytes32[] calldata roots,
        bytes32 digest
    ) external view returns (uint256 checked) {
        bytes32[][] memory proofs = MerkleTree.consistencyProofs(_leaves(), size);
        assertEq(_digestOf(proofs), digest, "proofs of the vectors");
        bytes32 root = roots[size - 1];
        for (uint64 older = 1; older <= size; ++older) {
            assertTrue(this.verifyGrowth(roots[older - 1], older, root, size, proofs[older]), "proof");
            ++checked;
        }
    }

    function test_VerifyConsistency_RefusesEveryFlippedByte() external view {
        bytes32[] memory leaves = _leaves();
        bytes32 root = MerkleTree.root(leaves, 0, MAX_SIZE);
        bytes32[][] memory proofs = MerkleTree.consistencyProofs(leaves, MAX_SIZE);
        uint64[5] memory sizes = [uint64(1), 64, 77, 128, 129];
        for (uint256 i = 0; i < sizes.length; ++i) {
            uint64 older = sizes[i];
            bytes32 olderRoot = MerkleTree.root(leaves, 0, older);
            bytes32[] memory proof = proofs[older];
            assertTrue(this.verifyGrowth(olderRoot, older, root, MAX_SIZE, proof), "untouched");
            for (uint256 position = 0; position < proof.length * 32; ++position) {
                _flip(proof, position, 0x80);
                assertEq(this.verifyGrowth(olderRoot, older, root, MAX_SIZE, proof), false, "flipped");
                _flip(proof, position, 0x80);
            }
        }
    }

    function testFuzz_VerifyConsistency_RefusesWhatDoesNotExtend(
        uint64 a,
        uint64 b,
        uint64 c,
        uint256 bit
    ) external view {
        bytes32[] memory leaves = _leaves();
        uint64 newer = uint64(bound(a, 2, MAX_SIZE));
        uint64 older = uint64(bound(b, 1, newer - 1));
        bytes32 newerRoot = MerkleTree.root(leaves, 0, newer);
        bytes32 olderRoot = MerkleTree.root(leaves, 0, older);
        bytes32[] memory proof = MerkleTree.consistencyProofs(leaves, newer)[older];
        bytes32 mask = bytes32(1 << (bit % 256));

        assertEq(this.verifyGrowth(olderRoot ^ mask, older, newerRoot, newer, proof), false, "older root");
        assertEq(this.verifyGrowth(olderRoot, older, newerRoot ^ mask, newer, proof), false, "newer root");
        uint64 other = uint64(bound(c, 0, MAX_SIZE));
        if (other != older) assertEq(this.verifyGrowth(olderRoot, other, newerRoot, newer, proof), false, "older size");
        assertEq(this.verifyGrowth(newerRoot, newer, olderRoot, older, proof), false, "swapped");
        assertEq(this.verifyGrowth(olderRoot, older, newerRoot, older, proof), false, "equal sizes");
        assertEq(this.verifyGrowth(olderRoot, 0, newerRoot, newer, proof), false, "empty tree");
        assertEq(this.verifyGrowth(olderRoot, older, newerRoot, 0, proof), false, "to an empty tree");
        bytes32[] memory extended = MerkleTree.append(proof, newerRoot);
        assertEq(this.verifyGrowth(olderRoot, older, newerRoot, newer, extended), false, "too long");
        assertEq(this.verifyGrowth(olderRoot, older, newerRoot, newer, _withoutLast(proof)), false, "too short");
        assertEq(this.verifyGrowth(olderRoot, older, newerRoot, newer, new bytes32[](0)), false, "no proof");
        // A proof that goes on above both roots, and does hash to what is claimed to be the roots.
        assertEq(
            this.verifyGrowth(
                Rfc6962.hashNode(mask, olderRoot),
                older,
                Rfc6962.hashNode(mask, newerRoot),
                newer,
                MerkleTree.append(proof, mask)
            ),
            false,
            "above the roots"
        );
        proof[c % proof.length] ^= mask;
        assertEq(this.verifyGrowth(olderRoot, older, newerRoot, newer, proof), false, "hash");
    }

    function testFuzz_VerifyConsistency_AgainstARewrittenTree(uint64 a, uint64 b, uint64 c) external view {
        bytes32[] memory leaves = _leaves();
        uint64 newer = uint64(bound(a, 2, MAX_SIZE));
        uint64 older = uint64(bound(b, 1, newer - 1));
        bytes32 olderRoot = MerkleTree.root(leaves, 0, older);
        // The relay rewrites an old entry and gives the proof that its new tree has.
        leaves[bound(c, 0, older - 1)] = "rewritten";
        bytes32 newerRoot = MerkleTree.root(leaves, 0, newer);
        bytes32[] memory proof = MerkleTree.consistencyProofs(leaves, newer)[older];
        assertEq(this.verifyGrowth(olderRoot, older, newerRoot, newer, proof), false, "not an extension");
    }

    function test_VerifyConsistency_OfATreeWithItself() external view {
        bytes32[] memory none = new bytes32[](0);
        bytes32[] memory some = new bytes32[](1);
        assertTrue(this.verifyGrowth("root", 5, "root", 5, none), "the same");
        assertEq(this.verifyGrowth("root", 5, "other", 5, none), false, "another root");
        assertEq(this.verifyGrowth("root", 5, "root", 5, some), false, "a proof where none is needed");
        assertEq(this.verifyGrowth("root", 0, "root", 0, none), false, "nothing from an empty tree");
    }

    function testFuzz_VerifyConsistency_NeverReverts(
        bytes32 olderRoot,
        uint64 olderSize,
        bytes32 newerRoot,
        uint64 newerSize,
        bytes32[] calldata proof
    ) external view {
        bool same = olderSize == newerSize && olderSize != 0 && olderRoot == newerRoot && proof.length == 0;
        assertEq(this.verifyGrowth(olderRoot, olderSize, newerRoot, newerSize, proof), same, "random proof");
    }

    function test_VerifyConsistency_OfTheLargestTree() external view {
        // Three leaves, of which the proof shows the third and the node of the first two, then 62 right siblings.
        bytes32[] memory proof = new bytes32[](65);
        for (uint256 i = 0; i < 65; ++i) proof[i] = bytes32(i + 1);
        bytes32 older = Rfc6962.hashNode(proof[2], proof[0]);
        bytes32 newer = Rfc6962.hashNode(proof[2], Rfc6962.hashNode(proof[0], proof[1]));
        for (uint256 i = 3; i < 65; ++i) newer = Rfc6962.hashNode(newer, proof[i]);
        assertTrue(this.verifyGrowth(older, 3, newer, type(uint64).max, proof), "65 hashes");
        proof = MerkleTree.append(proof, "one more");
        newer = Rfc6962.hashNode(newer, "one more");
        assertEq(this.verifyGrowth(older, 3, newer, type(uint64).max, proof), false, "66 hashes");
    }

    /// @dev Leaf hashes of the vectors: entry `i` is the 8 bytes of `i`.
    function _leaves() private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](MAX_SIZE);
        for (uint64 i = 0; i < MAX_SIZE; ++i) leaves[i] = sha256(abi.encodePacked(bytes1(0x00), i));
    }

    /// @dev keccak256 of all hashes of all proofs, one after another.
    function _digestOf(bytes32[][] memory proofs) private pure returns (bytes32) {
        uint256 length = 0;
        for (uint256 i = 0; i < proofs.length; ++i) length += proofs[i].length;
        bytes32[] memory hashes = new bytes32[](length);
        uint256 at = 0;
        for (uint256 i = 0; i < proofs.length; ++i) {
            for (uint256 j = 0; j < proofs[i].length; ++j) hashes[at++] = proofs[i][j];
        }
        return keccak256(abi.encodePacked(hashes));
    }

    function _flip(bytes32[] memory proof, uint256 position, uint8 bits) private pure {
        proof[position / 32] ^= bytes32(uint256(bits) << (8 * (position % 32)));
    }

    function _withoutLast(bytes32[] memory list) private pure returns (bytes32[] memory shorter) {
        shorter = new bytes32[](list.length - 1);
        for (uint256 i = 0; i < shorter.length; ++i) shorter[i] = list[i];
    }
}
