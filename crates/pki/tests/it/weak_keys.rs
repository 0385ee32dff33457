//! Weak keys: each kind that has been found in the wild is refused, and good keys are not.
//!
//! The moduli were made for this test: the primes of `CLOSE` follow each other, those of `ROCA` have the broken
//! generator's form `k·M + 65537ᵃ mod M`.

use kyso_pki::lint::lint_key;
use kyso_pki::public_key::PublicKey;

use crate::support::*;

fn codes(modulus: &str, exponent: &[u8]) -> Vec<&'static str> {
    let octets: Vec<u8> = (0..modulus.len() / 2)
        .map(|index| u8::from_str_radix(&modulus[2 * index..2 * index + 2], 16).unwrap())
        .collect();
    let key = PublicKey::from_rsa(&octets, exponent).unwrap();
    lint_key(&key)
        .into_iter()
        .map(|finding| finding.code)
        .collect()
}

#[test]
fn good_keys_pass() {
    assert_eq!(codes(GOOD, &[1, 0, 1]), [""; 0]);
    for authority in [rsa_authority(), ec_authority()] {
        assert_eq!(lint_key(&authority.root_key.public), []);
        assert_eq!(lint_key(&authority.citizen_key.public), []);
    }
}

#[test]
fn primes_too_close_together_are_found() {
    assert_eq!(codes(CLOSE, &[1, 0, 1]), ["rsa-close-primes"]);
    assert_eq!(codes(CLOSE_BY_400_BITS, &[1, 0, 1]), ["rsa-close-primes"]);
    assert_eq!(codes(SQUARE, &[1, 0, 1]), ["rsa-close-primes"]);
}

#[test]
fn the_pattern_of_the_broken_generator_is_found() {
    assert_eq!(codes(ROCA, &[1, 0, 1]), ["rsa-roca"]);
}

#[test]
fn small_factors_and_even_moduli_are_found() {
    assert_eq!(codes(FACTOR_191, &[1, 0, 1]), ["rsa-small-factor"]);
    let even = GOOD[..GOOD.len() - 1].to_string() + "0";
    assert!(codes(&even, &[1, 0, 1]).contains(&"rsa-modulus-even"));
}

#[test]
fn exponents_other_than_65537_are_found_and_senseless_ones_not_even_read() {
    assert_eq!(codes(GOOD, &[3]), ["rsa-exponent"]);
    assert_eq!(codes(GOOD, &[1, 0, 3]), ["rsa-exponent"]);
    for exponent in [&[1][..], &[2], &[1, 0, 0], &[0]] {
        assert!(PublicKey::from_rsa(&[0xff; 256], exponent).is_err());
    }
}

#[test]
fn moduli_of_other_sizes_are_not_read() {
    for octets in [64, 128, 255, 257, 320, 1024, 4000] {
        assert!(
            PublicKey::from_rsa(&vec![0xff; octets], &[1, 0, 1]).is_err(),
            "{octets}"
        );
    }
}

const GOOD: &str = concat!(
    "cbf6fc2a4fb988326fea9fa10e3e815c5ce7ec2ab57f29426479a16b5ec2838e3cd1a36983f8ce61dc42299c6c1de22b",
    "beae2dc2d5c6ca7dffa665bde26fc801e12f21a3130d698106e500f2dbf8597ff406d3dcdc5d134a6d085b75340034fa",
    "23e6e9731462421c8d868e56c380b8f7c801efdf8035f0d7462d635b2ea2fe89d0c411b2c401b5fb4d6275d7aca33a59",
    "9abf9b353f9c6555ea231e3dcf44803136c0c685d53a74c8b3b7da29b5566c3ae1b9de4c40027b20679e4253fd466767",
    "bee760a80ee32e53268de53f6acfbf14a97c5a47bb1b86aa75a425df6a8e72edd9fd40df54fd513826c8fd414b5b538a",
    "e1a69e4b79df7bb000146506fe403e65",
);
const CLOSE: &str = concat!(
    "f1a4a84a416533f0a0ce2405a85f99134824074571ddc6256b7a9524c1eaf7e30e3b027c9ad18d554e6c2f1df0fbd2e7",
    "72ddb5907ed288ad7fbe6204ac774b9417411763adf9d6080e4957a527a8b1feabd94f5da6ac0793da1a195bbbadbf9c",
    "d5bde4a2ef32e502cfeab4cab078278ed8be0a9be5b0dcd81934e3f2dadc37747cd6cb5d19b358f85f7e3879962528b9",
    "dca5016ae9494aa388ae49509ac1896b23ae6eb4c4af6c3a20367f18fbd91a7d966e397f475331c360f4e22c396a36ab",
    "39f06a9d6ef6e3819c83c91588c5c9e42b904de43e9bea6e656cc45e0067e0a3c3d2e9dc91426eaee2ba88e94e677a14",
    "74b72d91106367172a491e1d2efef60b",
);
const CLOSE_BY_400_BITS: &str = concat!(
    "f1a4a84a416533f0a0ce2405a85f99134824074571ddc6256b7a9524c1eaf7e30e3b027c9ad18d554e6c2f1df0fbd2e7",
    "72ddb5907ed288ad7fbe6204ac774b9417411763adf9d6080e4957a527a9aab67c85d3d4e38cd5e0b42bcd98144970bd",
    "7924d55ed90227f5abf03c0a4c488d96e7d55732be93399524d8859997ba74271a1b5bb62b09a067e41e2fcb5f3a1d63",
    "79fbdf864723535f04b0d620c0041bc0ad73da74e1bfc0168a8afeaef09c412dc6806437c71aefae6ed896cbd710cf08",
    "242e2ebabd77171ee8304de24268c9e3cc4074c6d3598171947b1b6b0ee69abecee286a702fb12110a9a9be2cf61b24d",
    "1f18bcae78ea812969603ac02a31492f",
);
const SQUARE: &str = concat!(
    "f1a4a84a416533f0a0ce2405a85f99134824074571ddc6256b7a9524c1eaf7e30e3b027c9ad18d554e6c2f1df0fbd2e7",
    "72ddb5907ed288ad7fbe6204ac774b9417411763adf9d6080e4957a527a8b1feabd94f5da6ac0793da1a195bbbadbf9c",
    "d5bde4a2ef32e502cfeab4cab078278ed8be0a9be5b0dcd81934e3f2dadc370d80ba63ee405423e2f3abed24f5287842",
    "852158cb3b7a7ad1d01f2f069a6b0520e4582f0f0e399e7fb9efad580ccee6798ada97e31a1599654aaf6c6372501f0a",
    "ee4dd4894743da43c1c952da4a9f46312cd87749ad01181bc80534d029d6af6a59ce4d67bb07d07a1dbafc62e70a65a1",
    "3b8aa37b8abc35f6c65b08b5ca5e18a9",
);
const ROCA: &str = concat!(
    "a13bae0416ec56a04109e81db32334468426fb0e6dfbe342d20b5c3896990af6afb88caa303b94bf4838edd018cbf284",
    "664d98b0d2d4e08a94362fc32007d323ba856f475360233db59f37ef97c21b7cfcc3b679ec4d0a360ff0d6f10cf3e1fb",
    "d64f88dc380b6e00184bc7746b6813b7d1e0394cfbec7e9472b4c4658508fe4dc5e09411011555f13cb85d37bebbac32",
    "c5ed3d58d3b6490ca9e157a06e11d8ace26670584169a74226b1624a42bf035230409af4b1b53626a9a18801f565fc0c",
    "a21f9dedfb1291597397314ee17409e00914390b0762654a735d54635c58e7f594bc5a657f41f4aff7a490aa42ee4fce",
    "9912c2100a007c697d7543157196d913",
);
const FACTOR_191: &str = concat!(
    "b13863f1cb2c07b867275ba54fcb72d46457ac514f48609ef73539fa4d8f0b22db106e228aa2538507f26aa110ace516",
    "3e35e59a5a1a5d8cf772f9ea9cdbe0b730f4114ee87e2cd7c71c886c8df24bee3d8a911bc448a665a00443b0703b691c",
    "c26903cbd7ac0beb6dff78486492051628528d7984e4568036442abb54a57dec81beb02e09ff7e4becf57ad9f955068f",
    "9980e70ff69e7b556754acd963ad219cbe32946168761eaa870fb412e7d0d3723346cdb49e886ddf6f80c505a7d04eff",
    "10843e4580b7550bf84820850b4df41ce3b399bdfcf14eb3e2f2da867f7d845fb46b19e64b2793162ffd526df3f29e18",
    "3c37ac9e8c107cbcfd599a6da8b91689",
);
