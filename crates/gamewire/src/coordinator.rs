//! What a game's own back end calls: tickets, certificates, logins of hosted servers, estimates
//! between ping locations.
//!
//! [`GameCoordinator`] is `gamewire-sdr`'s coordinator with the clock and the randomness of the
//! operating system.

use gamewire_crypto::{SystemEntropy, VerifyingKey, text::TextError};

use crate::{Identity, clock::unix_seconds};

pub use gamewire_sdr::{
    PopId,
    config::{ConfigError as NetworkConfigError, NetworkConfig},
    coordinator::{
        Coordinator, CreateCertError, ExtraField, ExtraValue, LoginError, ServerLogin,
        SignTicketError, SignedTicket, Ticket, TicketError,
    },
    hosted::{HostedAddress, ServerAddress},
    location::{EstimateError, PingLocation},
};

/// A back end's signing key and what it knows of the network.
#[doc(alias = "SteamDatagram_GameCoordinator_Init")]
#[derive(Debug, Default)]
pub struct GameCoordinator(Coordinator);

impl GameCoordinator {
    /// A coordinator that believes what `roots` vouch for; in the insecure mode everything.
    pub fn new(roots: Vec<VerifyingKey>, insecure: bool) -> Self {
        Self(Coordinator::new(roots, insecure))
    }

    /// Takes a network config into use; refresh it hourly. Returns what to warn about.
    ///
    /// # Errors
    /// [`NetworkConfigError`]; what was in use before stays.
    #[doc(alias = "SteamDatagram_GameCoordinator_SetNetworkConfig")]
    pub fn set_network_config(&mut self, json: &[u8]) -> Result<Vec<String>, NetworkConfigError> {
        self.0.set_network_config(json)
    }

    /// The network config in use.
    pub const fn network_config(&self) -> Option<&NetworkConfig> {
        self.0.network_config()
    }

    /// Takes a signing key from the text of an OpenSSH file. Returns what to warn about.
    ///
    /// # Errors
    /// [`TextError`]
    #[doc(alias = "SteamDatagram_SetPrivateKey_Ed25519")]
    pub fn set_private_key(&mut self, text: &str) -> Result<Vec<String>, TextError> {
        self.0.set_private_key(text, unix_seconds())
    }

    /// Signs a ticket; the server's address goes encrypted to the relays.
    ///
    /// # Errors
    /// [`SignTicketError`]
    #[doc(alias = "SteamDatagram_SerializeAndSignTicket")]
    pub fn sign_ticket(&self, ticket: &Ticket) -> Result<Vec<u8>, SignTicketError> {
        self.0.sign_ticket(ticket, &mut SystemEntropy)
    }

    /// Certifies the key of a request for somebody whom the caller has authenticated.
    ///
    /// # Errors
    /// [`CreateCertError`]
    #[doc(alias = "SteamDatagram_CreateCert")]
    pub fn create_cert(
        &self,
        identity: &Identity,
        app_id: u32,
        request: &[u8],
    ) -> Result<Vec<u8>, CreateCertError> {
        self.0.create_cert(identity, app_id, request, unix_seconds())
    }

    /// Reads and checks the login of a hosted server. In the insecure mode the second value says
    /// why it should not have been taken.
    ///
    /// # Errors
    /// [`LoginError`]
    #[doc(alias = "SteamDatagram_ParseHostedServerLogin")]
    pub fn parse_login(
        &self,
        blob: &[u8],
        allow_dev: bool,
    ) -> Result<(ServerLogin, Option<LoginError>), LoginError> {
        self.0.parse_login(blob, allow_dev, unix_seconds())
    }
}
