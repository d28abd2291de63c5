//! The reference vectors of Certificate Transparency (trees of 0 to 8 leaves), and properties.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;

use super::*;

const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// (index, size, proof)
const INCLUSION: [(usize, usize, &[&str]); 5] = [
    (0, 1, &[]),
    (
        0,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        &[
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        3,
        &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    ),
    (
        1,
        5,
        &[
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
];

/// (old size, new size, proof)
const CONSISTENCY: [(usize, usize, &[&str]); 5] = [
    (1, 1, &[]),
    (
        1,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        &[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        &[
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
    (
        6,
        7,
        &[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

fn hash(hex: &str) -> Hash {
    bytes(hex).try_into().unwrap()
}

fn hashes(hex: &[&str]) -> Vec<Hash> {
    hex.iter().copied().map(hash).collect()
}

fn reference_leaves() -> Vec<Hash> {
    LEAVES.iter().map(|leaf| leaf_hash(&bytes(leaf))).collect()
}

/// Leaf hashes of a tree of any size.
fn leaves(size: usize) -> Vec<Hash> {
    (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

fn head(leaves: &[Hash], size: usize) -> Head {
    Head {
        size: size as u64,
        root: root(&leaves[..size]),
    }
}

/// The definition of RFC 9162 §2.1.1, written as it stands there.
fn defined_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&defined_root(left), &defined_root(right))
        }
    }
}

#[test]
fn the_reference_trees_have_their_published_roots() {
    let leaves = reference_leaves();
    let mut frontier = Frontier::new();
    assert_eq!(frontier.root(), hash(ROOTS[0]));
    for (size, leaf) in leaves.iter().enumerate() {
        assert_eq!(frontier.append(*leaf), size as u64);
        assert_eq!(frontier.root(), hash(ROOTS[size + 1]));
        assert_eq!(root(&leaves[..=size]), hash(ROOTS[size + 1]));
    }
}

#[test]
fn inclusion_proofs_are_the_published_ones() {
    let leaves = reference_leaves();
    for (index, size, expected) in INCLUSION {
        let proof = inclusion_proof(&leaves[..size], index).unwrap();
        assert_eq!(proof, hashes(expected), "leaf {index} of {size}");
        let root = hash(ROOTS[size]);
        verify_inclusion(&leaves[index], index as u64, size as u64, &proof, &root).unwrap();
    }
}

#[test]
fn consistency_proofs_are_the_published_ones() {
    let leaves = reference_leaves();
    for (old, new, expected) in CONSISTENCY {
        let proof = consistency_proof(&leaves[..new], old).unwrap();
        assert_eq!(proof, hashes(expected), "{old} to {new}");
        verify_consistency(&head(&leaves, old), &head(&leaves, new), &proof).unwrap();
    }
}

#[test]
fn every_proof_of_every_small_tree_holds() {
    let leaves = leaves(40);
    for new in 0..=leaves.len() {
        let tree = &leaves[..new];
        assert_eq!(root(tree), defined_root(tree));
        for old in 0..=new {
            let proof = consistency_proof(tree, old).unwrap();
            verify_consistency(&head(tree, old), &head(tree, new), &proof).unwrap();
        }
        for index in 0..new {
            let proof = inclusion_proof(tree, index).unwrap();
            let root = root(tree);
            verify_inclusion(&tree[index], index as u64, new as u64, &proof, &root).unwrap();
        }
    }
}

#[test]
fn what_is_not_in_the_tree_has_no_proof() {
    let leaves = leaves(5);
    assert_eq!(inclusion_proof(&leaves, 5), None);
    assert_eq!(inclusion_proof(&[], 0), None);
    assert_eq!(consistency_proof(&leaves, 6), None);
    let refused = verify_inclusion(&leaves[0], 5, 5, &[], &root(&leaves));
    assert_eq!(refused, Err(ProofError::OutOfRange));
    let refused = verify_consistency(&head(&leaves, 5), &head(&leaves, 4), &[]);
    assert_eq!(refused, Err(ProofError::OutOfRange));
}

#[test]
fn a_tree_of_the_same_size_with_another_root_is_inconsistent() {
    let old = head(&leaves(3), 3);
    let new = Head {
        size: 3,
        root: empty_root(),
    };
    assert_eq!(
        verify_consistency(&old, &new, &[]),
        Err(ProofError::WrongRoot)
    );
    let forged_empty = Head {
        size: 0,
        root: old.root,
    };
    assert_eq!(
        verify_consistency(&forged_empty, &old, &[]),
        Err(ProofError::WrongRoot)
    );
}

#[test]
fn a_frontier_is_refused_when_size_and_hashes_disagree() {
    let mut frontier = Frontier::new();
    for leaf in leaves(7) {
        frontier.append(leaf);
    }
    let bytes = frontier.to_bytes();
    assert_eq!(bytes.len(), 8 + 3 * 32);
    assert_eq!(Frontier::from_bytes(&bytes[..bytes.len() - 1]), None);
    assert_eq!(Frontier::from_bytes(&bytes[..8 + 2 * 32]), None);
    assert_eq!(Frontier::from_bytes(&bytes[..7]), None);
    assert_eq!(Frontier::from_bytes(&[0; 8]), Some(Frontier::new()));
}

proptest! {
    #[test]
    fn a_stored_frontier_grows_like_one_never_stored(before in 0..300_usize, after in 0..50_usize) {
        let leaves = leaves(before + after);
        let mut frontier = Frontier::new();
        for leaf in &leaves[..before] {
            frontier.append(*leaf);
        }
        let mut stored = Frontier::from_bytes(&frontier.to_bytes()).unwrap();
        prop_assert_eq!(&stored, &frontier);
        for leaf in &leaves[before..] {
            stored.append(*leaf);
        }
        prop_assert_eq!(stored.size(), leaves.len() as u64);
        prop_assert_eq!(stored.root(), defined_root(&leaves));
    }

    #[test]
    fn an_inclusion_proof_holds_for_nothing_else(
        size in 1..200_usize, pick in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>(),
    ) {
        let leaves = leaves(size);
        let (index, root) = (pick.index(size), root(&leaves));
        let proof = inclusion_proof(&leaves, index).unwrap();
        let check = |leaf: &Hash, index: usize, proof: &[Hash]| {
            verify_inclusion(leaf, index as u64, size as u64, proof, &root)
        };
        prop_assert!(check(&leaves[index], index, &proof).is_ok());
        prop_assert!(check(&leaf_hash(b"forged"), index, &proof).is_err());
        prop_assert!(check(&leaves[index], (index + 1) % size, &proof).is_err() || size == 1);

        let longer: Vec<_> = proof.iter().copied().chain([root]).collect();
        prop_assert!(check(&leaves[index], index, &longer).is_err());
        if let Some((_, shorter)) = proof.split_last() {
            prop_assert!(check(&leaves[index], index, shorter).is_err());
            let mut changed = proof.clone();
            let bit = bit.index(changed.len() * 256);
            changed[bit / 256][bit % 256 / 8] ^= 1 << (bit % 8);
            prop_assert!(check(&leaves[index], index, &changed).is_err());
        }
    }

    #[test]
    fn a_rewritten_log_is_never_consistent(
        size in 2..200_usize, pick in any::<prop::sample::Index>(), altered in any::<prop::sample::Index>(),
    ) {
        let honest = leaves(size);
        let old = 1 + pick.index(size - 1);
        let mut forged = honest.clone();
        forged[altered.index(old)] = leaf_hash(b"forged");
        let proof = consistency_proof(&forged, old).unwrap();
        let refused = verify_consistency(&head(&honest, old), &head(&forged, size), &proof);
        prop_assert!(refused.is_err());

        let proof = consistency_proof(&honest, old).unwrap();
        let (from, to) = (head(&honest, old), head(&honest, size));
        prop_assert!(verify_consistency(&from, &to, &proof).is_ok());
        let longer: Vec<_> = proof.iter().copied().chain([to.root]).collect();
        prop_assert!(verify_consistency(&from, &to, &longer).is_err());
        if let Some((_, shorter)) = proof.split_last() {
            prop_assert!(verify_consistency(&from, &to, shorter).is_err());
        }
    }
}
