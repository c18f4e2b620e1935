//! Routers that translate addresses, by their behaviour (RFC 4787), as nftables can do it.

/// Which public port stands for a private one (RFC 4787 §4.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mapping {
    /// The same port as inside, for whatever destination: endpoint-independent in effect.
    PortPreserving,
    /// The same with `persistent`: one public address per client, of which there is one only.
    Persistent,
    /// A random one for each destination: address- and port-dependent. `random` of nftables.
    Random,
    /// The same by `fully-random`.
    FullyRandom,
}

impl Mapping {
    /// Whether all destinations see the same address.
    pub const fn is_endpoint_independent(self) -> bool {
        matches!(self, Self::PortPreserving | Self::Persistent)
    }

    const fn flags(self) -> &'static str {
        match self {
            Self::PortPreserving => "",
            Self::Persistent => "persistent",
            Self::Random => "random",
            Self::FullyRandom => "fully-random",
        }
    }
}

/// From whom datagrams to a mapped port are let in (RFC 4787 §5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Filtering {
    /// From everybody.
    EndpointIndependent,
    /// From addresses that something was sent to.
    AddressDependent,
    /// From addresses and ports that something was sent to.
    AddressAndPortDependent,
}

/// What a router does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Nat {
    /// See [`Mapping`].
    pub mapping: Mapping,
    /// See [`Filtering`].
    pub filtering: Filtering,
    /// Whether UDP is forwarded at all.
    pub forwards_udp: bool,
}

impl Nat {
    /// The usual home router.
    pub const PORT_RESTRICTED: Self = Self {
        mapping: Mapping::PortPreserving,
        filtering: Filtering::AddressAndPortDependent,
        forwards_udp: true,
    };

    /// The rules of a router between `lan` and `wan` with one client.
    ///
    /// What comes in unasked must be dropped before it becomes a flow of the router itself, which
    /// would take the port away from the client's own flow to the same peer.
    pub(super) fn rules(self, client: &str) -> String {
        let flags = self.mapping.flags();
        let (contacted, let_in) = match self.filtering {
            Filtering::EndpointIndependent => {
                ("", format!("iifname \"wan\" meta l4proto udp dnat to {client}"))
            }
            Filtering::AddressDependent => (
                "oifname \"wan\" meta l4proto udp update @contacted { ip daddr }",
                format!("iifname \"wan\" meta l4proto udp ip saddr @contacted dnat to {client}"),
            ),
            Filtering::AddressAndPortDependent => ("", String::new()),
        };
        let blocked = if self.forwards_udp { "" } else { "meta l4proto udp drop" };
        format!(
            "table ip lab {{
                set contacted {{
                    type ipv4_addr; flags dynamic,timeout; timeout 60s; size 1024;
                }}
                chain inbound {{
                    type nat hook prerouting priority -100;
                    {let_in}
                }}
                chain outbound {{
                    type nat hook postrouting priority 100;
                    oifname \"wan\" masquerade {flags}
                }}
                chain forwarded {{
                    type filter hook forward priority 0;
                    {blocked}
                    {contacted}
                    iifname \"wan\" ct state new ct status ! dnat drop
                }}
                chain unasked {{
                    type filter hook input priority 0;
                    iifname \"wan\" meta l4proto udp drop
                }}
            }}
            "
        )
    }
}
