//! An officer's key where it is a file and not a passkey: made once, given away, used on the command line.
//!
//! It never lives in a backend: what it signs must not be what the worker could sign by itself.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use zeroize::Zeroizing;

use crate::activation::{DecisionStatement, DeviceKey, DeviceKind, DeviceSignature};
use crate::error::{Error, Result};

/// Makes a P-256 key pair: the private half as PKCS#8, and the public half as it is registered.
pub fn make_officer_key() -> Result<(Zeroizing<Vec<u8>>, DeviceKey)> {
    let refused = |_| Error::Primitive {
        what: "key generation",
    };
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(refused)?;
    let pkcs8 = pair.to_pkcs8v1().map_err(refused)?;
    let spki = pair.public_key().as_der().map_err(refused)?;
    let key = DeviceKey {
        kind: DeviceKind::WebCrypto,
        spki: spki.as_ref().to_vec(),
    };
    Ok((Zeroizing::new(pkcs8.as_ref().to_vec()), key))
}

/// Signs a decision with a key that [`make_officer_key`] made.
pub fn sign_decision(pkcs8: &[u8], statement: &DecisionStatement) -> Result<DeviceSignature> {
    let refused = Error::Primitive {
        what: "an officer's key",
    };
    let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8) else {
        return Err(refused);
    };
    let signature = pair
        .sign(&SystemRandom::new(), &statement.to_bytes())
        .map_err(|_| refused)?;
    Ok(DeviceSignature::WebCrypto {
        signature: signature.as_ref().to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_key_signs_what_its_public_half_verifies() {
        let (pkcs8, key) = make_officer_key().unwrap();
        key.check().unwrap();
        let statement = DecisionStatement {
            enrolment: "enr_1".into(),
            round: 1,
            verdict: "approve".into(),
            officer: "ofc_1".into(),
            dossier: [7; 32],
            issued_at: 1,
        };
        let signature = sign_decision(&pkcs8, &statement).unwrap();
        key.verify(&statement.to_bytes(), &signature).unwrap();
        assert!(key.verify(b"another", &signature).is_err());
        assert!(sign_decision(&pkcs8[1..], &statement).is_err());
    }
}
