//! CMS.
use crate::{Result, algorithm::*, certificate::Certificate};
/// DER SET OF to be signed.
pub fn signed_attributes(content: &Digest, signer: &Certificate, algorithm: SignatureAlgorithm) -> Result<Vec<u8>> { todo!() }
/// Detached ContentInfo DER. `chain`: issuer first; the root may be left out.
pub fn signed_data(signed_attributes: &[u8], signature: &[u8], algorithm: SignatureAlgorithm, signer: &Certificate, chain: &[Certificate]) -> Result<Vec<u8>> { todo!() }
/// Most octets `signed_data` can have for this signer: room to reserve in the PDF.
pub fn signed_data_octets_most(signer: &Certificate, chain: &[Certificate]) -> Result<usize> { todo!() }
/// A parsed detached signature with one signer.
#[derive(Clone)]
pub struct Signature { der: Vec<u8> }
impl Signature {
    /// Reads.
    pub fn from_der(der: &[u8]) -> Result<Signature> { todo!() }
    /// Octets.
    pub fn as_der(&self) -> &[u8] { &self.der }
    /// All certificates carried.
    pub fn certificates(&self) -> &[Certificate] { todo!() }
    /// Signer's certificate.
    pub fn signer(&self) -> &Certificate { todo!() }
    /// Digest of the content as signed.
    pub fn content_digest(&self) -> &Digest { todo!() }
    /// Algorithm.
    pub fn algorithm(&self) -> SignatureAlgorithm { todo!() }
    /// Signed attributes as SET OF.
    pub fn signed_attributes(&self) -> &[u8] { todo!() }
    /// The signature value.
    pub fn value(&self) -> &[u8] { todo!() }
    /// Verifies digest, signing-certificate-v2 and signature; not the certificate's path.
    pub fn verify(&self, content: &Digest) -> Result<()> { todo!() }
}
