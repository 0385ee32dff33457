//! A network in CIDR notation (RFC 4632; RFC 4291 2.3), as operators list them: `10.0.0.0/8`, `::1`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// All addresses that share the first `bits` bits with `address`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

/// What was written is not a network.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a network; write 10.0.0.0/8, 127.0.0.1 or fd00::/8")]
pub struct NotANetwork(String);

impl Network {
    /// Every address there is.
    pub const EVERYWHERE: [Network; 2] = [
        Network {
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            bits: 0,
        },
        Network {
            address: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            bits: 0,
        },
    ];

    /// Whether it tells apart hosts of one IPv6 subscriber, who has a /64 to himself.
    pub fn splits_a_subscriber(&self) -> bool {
        self.address.is_ipv6() && self.bits > 64
    }

    /// Whether an address lies in it. An IPv4 address written as IPv6 is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let rest = 32 - self.bits;
                u64::from(network.to_bits()) >> rest == u64::from(address.to_bits()) >> rest
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let refuse = || NotANetwork(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| refuse())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.trim().parse().map_err(|_| refuse())?,
            None => most,
        };
        if bits > most {
            return Err(refuse());
        }
        Ok(Self { address, bits })
    }
}

impl TryFrom<String> for Network {
    type Error = NotANetwork;

    fn try_from(text: String) -> Result<Self, NotANetwork> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("127.0.0.1", "::ffff:127.0.0.1", "127.0.0.2"),
            ("0.0.0.0/0", "8.8.8.8", "::1"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("::/0", "2001:db8::1", "8.8.8.8"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
        ] {
            let read: Network = network.parse().unwrap();
            assert!(read.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(
                !read.contains(outside.parse().unwrap()),
                "{network} {outside}"
            );
        }
        for everywhere in ["8.8.8.8", "2001:db8::1"] {
            let address = everywhere.parse().unwrap();
            assert!(Network::EVERYWHERE.iter().any(|all| all.contains(address)));
        }
        for wrong in [
            "",
            "10.0.0.0/33",
            "::/129",
            "localhost",
            "10.0.0.0/-1",
            "10.0.0.0/",
        ] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
