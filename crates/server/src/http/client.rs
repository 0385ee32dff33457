//! Which client calls: the address of the connection or, behind proxies we trust, the one they say (RFC 7239).
//!
//! The header is believed from right to left, and only while each hop was a trusted proxy: what stands further left was
//! written by whoever liked to. One header is read, the configured one, because a proxy that writes `X-Forwarded-For`
//! hands a caller's own `Forwarded` through untouched.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, header};

use kyso_signing::portal::Network;

use crate::config::{ForwardedHeader, Server};

/// The proxies in front of us.
#[derive(Debug, Clone)]
pub struct Proxies {
    trusted: Vec<Network>,
    header: ForwardedHeader,
}

impl Proxies {
    /// Those of the configuration.
    pub fn of(server: &Server) -> Self {
        Self {
            trusted: server.trusted_proxies.clone(),
            header: server.forwarded_header,
        }
    }

    /// Whether an address is one of them.
    pub fn trust(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    /// Who calls over a connection from `peer`: the rightmost hop that is not a trusted proxy. A hop that is no address
    /// (`unknown`, `_hidden`, rubbish) ends the way at the proxy that wrote it.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trust(client) {
            return client;
        }
        for hop in self.hops(headers).into_iter().rev() {
            let Some(address) = hop else { break };
            client = address;
            if !self.trust(client) {
                break;
            }
        }
        client
    }

    /// The hops of the header, left to right; several lines of it are one list (RFC 9110 5.3).
    fn hops(&self, headers: &HeaderMap) -> Vec<Option<IpAddr>> {
        let name = match self.header {
            ForwardedHeader::XForwardedFor => "x-forwarded-for",
            ForwardedHeader::Forwarded => header::FORWARDED.as_str(),
        };
        let lines = headers.get_all(name).iter();
        let elements = lines.flat_map(|line| line.to_str().unwrap_or_default().split(','));
        elements
            .map(|element| match self.header {
                ForwardedHeader::XForwardedFor => address_in(element),
                ForwardedHeader::Forwarded => forwarded_for(element).and_then(address_in),
            })
            .collect()
    }
}

/// What one limit is for: an IPv4 address, or the /64 of an IPv6 address, which one subscriber has to himself.
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

/// The value of `for` in one element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<&str> {
    element
        .split(';')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))
        .map(|(_, value)| value.trim().trim_matches('"'))
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address_in(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    bare.unwrap_or(text)
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()))
        .ok()
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(header: ForwardedHeader) -> Proxies {
        Proxies {
            trusted: vec!["10.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()],
            header,
        }
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_header_is_believed_from_the_right_and_through_trusted_hops_only() {
        for (peer, header, client) in [
            ("203.0.113.9", "1.1.1.1", "203.0.113.9"),
            ("10.0.0.1", "1.1.1.1", "1.1.1.1"),
            ("::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1"),
            ("10.0.0.1", "6.6.6.6, 1.1.1.1", "1.1.1.1"),
            ("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2", "1.1.1.1"),
            ("10.0.0.1", "6.6.6.6, rubbish, 10.0.0.2", "10.0.0.2"),
            ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("10.0.0.1", "1.1.1.1:4711", "1.1.1.1"),
            ("10.0.0.1", "[2001:db8::1]:80", "2001:db8::1"),
            ("10.0.0.1", "unknown", "10.0.0.1"),
            ("10.0.0.1", "", "10.0.0.1"),
        ] {
            let heard = proxies(ForwardedHeader::XForwardedFor).client(
                peer.parse().unwrap(),
                &headers(&[("x-forwarded-for", header)]),
            );
            assert_eq!(heard, client.parse::<IpAddr>().unwrap(), "{peer} {header}");
        }
    }

    #[test]
    fn several_lines_are_one_list_and_only_the_configured_header_counts() {
        let both = headers(&[
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-for", "1.1.1.1"),
            (
                "forwarded",
                "for=7.7.7.7;proto=https, For=\"[2001:db8::2]:47\";by=_x",
            ),
        ]);
        let peer = "10.0.0.1".parse().unwrap();
        let heard = |header| proxies(header).client(peer, &both).to_string();
        assert_eq!(heard(ForwardedHeader::XForwardedFor), "1.1.1.1");
        assert_eq!(heard(ForwardedHeader::Forwarded), "2001:db8::2");
    }

    #[test]
    fn one_subscriber_is_a_v4_address_or_a_v6_network() {
        let of = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::"));
        assert_ne!(of("2001:db8:1:2::"), of("2001:db8:1:3::"));
        assert_ne!(of("1.1.1.1"), of("1.1.1.2"));
        assert_eq!(of("::ffff:1.1.1.1"), of("1.1.1.1"));
    }
}
