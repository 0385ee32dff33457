//! The little arithmetic on large naturals that judging an RSA modulus needs: remainders and square roots.
//!
//! Public values only, so nothing here needs to run in constant time. Not a general library: no division, no
//! multiplication of large numbers.

use std::cmp::Ordering;

/// A natural number, least significant limb first, no leading zero limbs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Natural(Vec<u64>);

impl Natural {
    pub fn from_be_bytes(octets: &[u8]) -> Natural {
        let limbs = octets
            .rchunks(8)
            .map(|chunk| {
                chunk
                    .iter()
                    .fold(0u64, |limb, octet| limb << 8 | u64::from(*octet))
            })
            .collect();
        Natural(limbs).trimmed()
    }

    pub fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    pub fn is_even(&self) -> bool {
        self.0.first().is_none_or(|limb| limb % 2 == 0)
    }

    /// The remainder by a number that is not zero.
    pub fn remainder(&self, divisor: u64) -> u64 {
        let divisor = u128::from(divisor);
        let remainder = self.0.iter().rev().fold(0u128, |remainder, limb| {
            (remainder << 64 | u128::from(*limb)) % divisor
        });
        remainder as u64
    }

    /// Adds.
    pub fn add(&mut self, other: &Natural) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        let mut carry = false;
        for (index, limb) in self.0.iter_mut().enumerate() {
            let term = other.0.get(index).copied().unwrap_or(0);
            let (sum, first) = limb.overflowing_add(term);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = first || second;
        }
        if carry {
            self.0.push(1);
        }
    }

    /// Subtracts a number that is not larger.
    pub fn subtract(&mut self, other: &Natural) {
        let mut borrow = false;
        for (index, limb) in self.0.iter_mut().enumerate() {
            let term = other.0.get(index).copied().unwrap_or(0);
            let (difference, first) = limb.overflowing_sub(term);
            let (difference, second) = difference.overflowing_sub(u64::from(borrow));
            *limb = difference;
            borrow = first || second;
        }
        debug_assert!(!borrow, "the subtrahend was larger");
        self.trim();
    }

    pub fn doubled_plus_one(&self) -> Natural {
        let mut carry = 1;
        let mut limbs: Vec<u64> = self
            .0
            .iter()
            .map(|limb| {
                let doubled = limb << 1 | carry;
                carry = limb >> 63;
                doubled
            })
            .collect();
        limbs.push(carry);
        Natural(limbs).trimmed()
    }

    /// The integer square root and what remains: `self = root² + remainder`, digit by digit in base 4, so that
    /// shifts, comparisons and subtractions suffice.
    pub fn square_root(&self) -> (Natural, Natural) {
        let mut remainder = self.clone();
        let mut root = Natural(vec![0; self.0.len()]);
        let pairs = self.bits().div_ceil(2);
        for shift in (0..pairs).rev().map(|pair| 2 * pair) {
            // Trial subtrahend: root + 4^k. Bit `shift` of root is free, so adding is setting.
            root.set(shift, true);
            let fits = compare(&remainder.0, &root.0) != Ordering::Less;
            if fits {
                remainder.subtract_keeping_width(&root);
            }
            root.set(shift, false);
            root.halve();
            if fits {
                root.set(shift, true);
            }
        }
        (root.trimmed(), remainder.trimmed())
    }

    /// Whether this is the square of an integer.
    pub fn is_square(&self) -> bool {
        // Squares have few residues; these four moduli let fewer than one number in a hundred through.
        let residue = self.remainder(64 * 63 * 65 * 11);
        let may_be = [64u64, 63, 65, 11].iter().all(|modulus| {
            let wanted = residue % modulus;
            (0..*modulus).any(|root| root * root % modulus == wanted)
        });
        may_be && self.square_root().1.is_zero()
    }

    fn bits(&self) -> usize {
        self.0
            .last()
            .map_or(0, |last| self.0.len() * 64 - last.leading_zeros() as usize)
    }

    fn set(&mut self, bit: usize, on: bool) {
        let mask = 1u64 << (bit % 64);
        match on {
            true => self.0[bit / 64] |= mask,
            false => self.0[bit / 64] &= !mask,
        }
    }

    fn halve(&mut self) {
        let mut carry = 0;
        for limb in self.0.iter_mut().rev() {
            let next = *limb << 63;
            *limb = *limb >> 1 | carry;
            carry = next;
        }
    }

    fn subtract_keeping_width(&mut self, other: &Natural) {
        let width = self.0.len();
        self.subtract(other);
        self.0.resize(width, 0);
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn trimmed(mut self) -> Natural {
        self.trim();
        self
    }
}

/// Compares numbers of any width.
fn compare(left: &[u64], right: &[u64]) -> Ordering {
    let width = left.len().max(right.len());
    let limb = |number: &[u64], index: usize| number.get(index).copied().unwrap_or(0);
    (0..width)
        .rev()
        .map(|index| limb(left, index).cmp(&limb(right, index)))
        .find(|order| *order != Ordering::Equal)
        .unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn natural(number: u128) -> Natural {
        Natural::from_be_bytes(&number.to_be_bytes())
    }

    #[test]
    fn roots_of_small_numbers_are_right() {
        for number in 0..5000u128 {
            let (root, remainder) = natural(number).square_root();
            let expected = number.isqrt();
            assert_eq!(root, natural(expected), "{number}");
            assert_eq!(remainder, natural(number - expected * expected));
            assert_eq!(
                natural(number).is_square(),
                expected * expected == number,
                "{number}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn arithmetic_agrees_with_128_bits(left in any::<u128>(), right in any::<u128>(), divisor in 1..u64::MAX) {
            let (small, large) = (left.min(right) >> 1, left.max(right) >> 1);
            let mut sum = natural(small);
            sum.add(&natural(large));
            prop_assert_eq!(sum, natural(small + large));
            let mut difference = natural(large);
            difference.subtract(&natural(small));
            prop_assert_eq!(difference, natural(large - small));
            prop_assert_eq!(natural(left).remainder(divisor), (left % u128::from(divisor)) as u64);
            let (root, remainder) = natural(left).square_root();
            prop_assert_eq!(root, natural(left.isqrt()));
            prop_assert_eq!(remainder, natural(left - left.isqrt() * left.isqrt()));
            prop_assert_eq!(natural(small >> 1).doubled_plus_one(), natural((small >> 1) * 2 + 1));
        }
    }

    #[test]
    fn a_root_of_four_thousand_bits_squares_back() {
        // (2^2048 - 1)² = 2^4096 - 2^2049 + 1
        let mut square = Natural::from_be_bytes(&[0xff; 512]); // 2^4096 - 1
        let mut octets = vec![0u8; 257];
        octets[0] = 2; // 2^2049
        square.subtract(&Natural::from_be_bytes(&octets));
        square.add(&natural(2));
        let (root, remainder) = square.square_root();
        assert_eq!(root, Natural::from_be_bytes(&[0xff; 256]));
        assert!(remainder.is_zero());
        assert!(square.is_square());
        square.add(&natural(1));
        assert!(!square.is_square());
    }
}
