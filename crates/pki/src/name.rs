//! Distinguished names.
use crate::Result;
/// A distinguished name; keeps its octets.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name { der: Vec<u8> }
/// What a name is made from. Only `country` and `common_name` are required.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubjectName {
    /// `C`
    pub country: String,
    /// `ST`
    pub province: Option<String>,
    /// `L`
    pub commune: Option<String>,
    /// `O`
    pub organization: Option<String>,
    /// `OU`
    pub organizational_unit: Option<String>,
    /// `CN`
    pub common_name: String,
    /// `UID`: `CCCD:…`
    pub identity: Option<String>,
}
impl SubjectName { 
    /// Encodes.
    pub fn encode(&self) -> Result<Name> { todo!() } }
impl Name {
    /// Reads.
    pub fn from_der(der: &[u8]) -> Result<Name> { todo!() }
    /// The octets.
    pub fn as_der(&self) -> &[u8] { &self.der }
    /// `CN`
    pub fn common_name(&self) -> Option<String> { todo!() }
    /// `UID`
    pub fn identity(&self) -> Option<String> { todo!() }
    /// `O`
    pub fn organization(&self) -> Option<String> { todo!() }
}
impl std::fmt::Display for Name { fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { todo!() } }
