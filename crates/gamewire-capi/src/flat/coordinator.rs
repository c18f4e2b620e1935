//! The functions of the game coordinator: `SteamDatagram_*`. They concern the whole process.
//!
//! Roots come from `Gamewire_SetRoots` or `GAMEWIRE_ROOTS`, read when the coordinator is initialised.

use std::{
    ffi::{c_char, c_int, c_void},
    sync::{Mutex, MutexGuard, PoisonError},
};

use gamewire::{
    Identity,
    coordinator::{
        ExtraField, ExtraValue, GameCoordinator, HostedAddress, PingLocation, ServerLogin, Ticket,
    },
};

use crate::{
    boundary::{bytes, guard, is_usable, put, text, text_field},
    debug_output, gamewire_functions, identity,
    options::put_error,
    types::{
        FSteamNetworkingSocketsDebugOutput, SteamDatagramGameCoordinatorServerLogin,
        SteamDatagramHostedAddress, SteamDatagramRelayAuthTicket,
        SteamDatagramRelayAuthTicket_ExtraField, SteamDatagramSignedBlob,
        SteamNetworkPingLocation_t, SteamNetworkingErrMsg, SteamNetworkingIdentity,
    },
};

/// `ExtraField::k_EType_…`
mod extra_kind {
    use std::ffi::c_int;

    pub(super) const STRING: c_int = 0;
    pub(super) const INT: c_int = 1;
    pub(super) const FIXED64: c_int = 2;
}

/// Debug output of level Msg and above.
const DETAIL: c_int = 5;

static COORDINATOR: Mutex<Option<GameCoordinator>> = Mutex::new(None);

fn coordinator() -> MutexGuard<'static, Option<GameCoordinator>> {
    COORDINATOR.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `body` with the coordinator; false with the error's text if it fails or there is none.
///
/// # Safety
/// Null, or room for a message.
unsafe fn with_coordinator(
    errMsg: *mut SteamNetworkingErrMsg,
    body: impl FnOnce(&mut GameCoordinator) -> Result<(), String>,
) -> bool {
    guard(false, || {
        let mut coordinator = coordinator();
        let result = match coordinator.as_mut() {
            Some(coordinator) => body(coordinator),
            None => Err("call SteamDatagram_GameCoordinator_Init first".to_owned()),
        };
        let Err(message) = result else { return true };
        // SAFETY: the caller's promise.
        unsafe { put_error(errMsg, &message) };
        false
    })
}

fn warn(warnings: impl IntoIterator<Item = String>) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

/// Begins the use of the coordinator's functions. With `bInsecureDevMode` nearly every failed check
/// is only a warning: never in production.
#[unsafe(no_mangle)]
pub extern "C" fn SteamDatagram_GameCoordinator_Init(
    bInsecureDevMode: bool,
    fnDebugOutput: FSteamNetworkingSocketsDebugOutput,
) {
    guard((), || {
        if fnDebugOutput.is_some() {
            debug_output::set(DETAIL, fnDebugOutput);
        }
        let roots = gamewire_functions::roots().unwrap_or_else(|error| {
            tracing::error!("{error}");
            Vec::new()
        });
        *coordinator() = Some(GameCoordinator::new(roots, bInsecureDevMode));
    });
}

/// Where to fetch the network config: from the hub of `Gamewire_SetHub` or `GAMEWIRE_HUB`, else
/// nowhere, which is empty text. The text stays valid until the next call.
#[unsafe(no_mangle)]
pub extern "C" fn SteamDatagram_GameCoordinator_GetNetworkConfigURL(nAppID: u32) -> *const c_char {
    static URL: Mutex<[c_char; 512]> = Mutex::new([0; 512]);
    guard(std::ptr::null(), || {
        let hub = gamewire_functions::hub().unwrap_or_default();
        let base = hub.trim_end_matches('/');
        let base = match base.split_once("://") {
            Some(("wss" | "https", host)) => format!("https://{host}"),
            Some(("ws" | "http", host)) => format!("http://{host}"),
            Some(_) | None => String::new(),
        };
        let url = match base.as_str() {
            "" => String::new(),
            base => format!("{base}/v1/network-config?appid={nAppID}"),
        };
        let mut place = URL.lock().unwrap_or_else(PoisonError::into_inner);
        *place = text_field(&url);
        place.as_ptr()
    })
}

/// Takes a network config into use: needed before tickets and logins, to be refreshed hourly.
///
/// # Safety
/// Null or that many bytes; null or room for a message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamDatagram_GameCoordinator_SetNetworkConfig(
    pData: *const c_void,
    cbData: usize,
    errMsg: *mut SteamNetworkingErrMsg,
) -> bool {
    // SAFETY: the caller's promises.
    unsafe {
        with_coordinator(errMsg, |coordinator| {
            let json = bytes(pData.cast(), cbData);
            warn(coordinator.set_network_config(json).map_err(|error| error.to_string())?);
            Ok(())
        })
    }
}

/// Takes a network config into use for this process as client or hosted server, where it does not
/// come from a hub: which PoPs and relays there are.
///
/// # Safety
/// Null or that many bytes; null or room for a message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamDatagram_SetNetworkConfig(
    pData: *const c_void,
    cbData: usize,
    errMsg: *mut SteamNetworkingErrMsg,
) -> bool {
    guard(false, || {
        // SAFETY: the caller's promise.
        match gamewire::set_network_config(unsafe { bytes(pData.cast(), cbData) }) {
            Ok(warnings) => {
                warn(warnings);
                true
            }
            Err(error) => {
                // SAFETY: the caller's promise.
                unsafe { put_error(errMsg, &error.to_string()) };
                false
            }
        }
    })
}

/// Steam's own name for its networks; there is one network here, so nothing happens.
#[unsafe(no_mangle)]
pub extern "C" fn SteamDatagram_GameCoordinator_SetUniverse(_eUniverse: c_int) {}

/// Takes the key to sign with, an OpenSSH private key without a passphrase. Wipes the caller's bytes,
/// whatever comes of it.
///
/// # Safety
/// Null or that many bytes; null or room for a message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamDatagram_SetPrivateKey_Ed25519(
    pchPrivateKey: *mut c_void,
    cbPrivateKey: usize,
    errMsg: *mut SteamNetworkingErrMsg,
) -> bool {
    // SAFETY: the caller's promises.
    let done = unsafe {
        with_coordinator(errMsg, |coordinator| {
            let text = bytes(pchPrivateKey.cast(), cbPrivateKey);
            let text = std::str::from_utf8(text).map_err(|_| "not a private key".to_owned())?;
            // A terminating NUL may be counted or not.
            let text = text.trim_end_matches('\0');
            warn(coordinator.set_private_key(text).map_err(|error| error.to_string())?);
            Ok(())
        })
    };
    if !pchPrivateKey.is_null() {
        for index in 0..cbPrivateKey {
            // SAFETY: the caller vouches for the bytes; volatile, so that it is not left out.
            unsafe { pchPrivateKey.cast::<u8>().add(index).write_volatile(0) };
        }
    }
    done
}

/// Signs a ticket, its address encrypted to the relays.
///
/// # Safety
/// Null or the ticket; null or room for the blob; null or room for a message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamDatagram_SerializeAndSignTicket(
    ticket: *const SteamDatagramRelayAuthTicket,
    result: *mut SteamDatagramSignedBlob,
    errMsg: *mut SteamNetworkingErrMsg,
) -> bool {
    // SAFETY: the caller's promises.
    unsafe {
        with_coordinator(errMsg, |coordinator| {
            if !is_usable(ticket) || result.is_null() {
                return Err("there is no ticket, or no room for it".to_owned());
            }
            let ticket = ticket_of(&*ticket)?;
            let blob = coordinator.sign_ticket(&ticket).map_err(|error| error.to_string())?;
            put(result, signed_blob(&blob)?);
            Ok(())
        })
    }
}

/// Certifies a key for a user whom the caller has authenticated. The request is what the user's
/// `GetCertificateRequest` gave.
///
/// # Safety
/// Null or the identity; null or that many bytes; null or room for the blob; null or room for a
/// message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamDatagram_CreateCert(
    identity: *const SteamNetworkingIdentity,
    nAppID: u32,
    pCertRequest: *const c_void,
    cbCertRequest: usize,
    result: *mut SteamDatagramSignedBlob,
    errMsg: *mut SteamNetworkingErrMsg,
) -> bool {
    // SAFETY: the caller's promises.
    unsafe {
        with_coordinator(errMsg, |coordinator| {
            let identity = identity::read(identity).ok_or("the identity is not valid")?;
            let request = bytes(pCertRequest.cast(), cbCertRequest);
            let cert = coordinator.create_cert(&identity, nAppID, request);
            put(result, signed_blob(&cert.map_err(|error| error.to_string())?)?);
            Ok(())
        })
    }
}

/// Reads and checks the login of a hosted server. With `bAllowInsecureLoginToDevPOP` servers in the
/// PoP `dev` need no certificate: never in production.
///
/// # Safety
/// Null or that many bytes; null or room for the login; null or room for a message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamDatagram_ParseHostedServerLogin(
    pvMsg: *const c_void,
    cbMsg: usize,
    result: *mut SteamDatagramGameCoordinatorServerLogin,
    bAllowInsecureLoginToDevPOP: bool,
    errMsg: *mut SteamNetworkingErrMsg,
) -> bool {
    // SAFETY: the caller's promises.
    unsafe {
        with_coordinator(errMsg, |coordinator| {
            let blob = bytes(pvMsg.cast(), cbMsg);
            let (login, warning) = coordinator
                .parse_login(blob, bAllowInsecureLoginToDevPOP)
                .map_err(|error| error.to_string())?;
            warn(warning.map(|error| format!("insecure mode: {error}")));
            put(result, login_struct(&login)?);
            Ok(())
        })
    }
}

/// Parses the text of a ping location.
///
/// # Safety
/// Null or text with a NUL; null or room for a location.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamDatagram_ParsePingLocation(
    pszString: *const c_char,
    result: *mut SteamNetworkPingLocation_t,
) -> bool {
    // SAFETY: the caller's promises.
    guard(false, || unsafe { parse_location(pszString, result) })
}

/// What the ping between two locations should at most be, in milliseconds; -1: no estimate.
///
/// # Safety
/// Null, or locations.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SteamDatagram_EstimatePingBetweenTwoLocations(
    location1: *const SteamNetworkPingLocation_t,
    location2: *const SteamNetworkPingLocation_t,
) -> c_int {
    guard(-1, || {
        // SAFETY: the caller's promises.
        let (a, b) = unsafe { (location(location1), location(location2)) };
        let coordinator = coordinator();
        let config = coordinator.as_ref().and_then(GameCoordinator::network_config);
        a.estimate(&b, config).ok().and_then(|ms| c_int::try_from(ms).ok()).unwrap_or(-1)
    })
}

/// # Safety
/// Null or text with a NUL; null or room for a location.
pub(super) unsafe fn parse_location(
    pszString: *const c_char,
    result: *mut SteamNetworkPingLocation_t,
) -> bool {
    // SAFETY: the caller's promise.
    let parsed = unsafe { text(pszString) }.and_then(|text| text.parse::<PingLocation>().ok());
    let done = parsed.is_some();
    let m_data = parsed.unwrap_or_default().to_opaque();
    // SAFETY: the caller's promise.
    unsafe { put(result, SteamNetworkPingLocation_t { m_data }) };
    done
}

/// A location of a caller; null says nothing.
///
/// # Safety
/// Null, or a location.
pub(super) unsafe fn location(pointer: *const SteamNetworkPingLocation_t) -> PingLocation {
    if pointer.is_null() {
        return PingLocation::default();
    }
    // SAFETY: not null, and bytes are always aligned.
    PingLocation::from_opaque(unsafe { &(*pointer).m_data })
}

fn ticket_of(ticket: &SteamDatagramRelayAuthTicket) -> Result<Ticket, String> {
    let (server, client) = (ticket.m_identityGameserver, ticket.m_identityAuthorizedClient);
    let (routing, fields) = (ticket.m_routing, ticket.m_vecExtraFields);
    let count = usize::try_from(ticket.m_nExtraFields).unwrap_or(usize::MAX);
    let fields = fields.get(..count).ok_or("there are more than 16 extra fields")?;
    Ok(Ticket {
        server: Identity::from(&server),
        client: Identity::from(&client),
        client_ip: match ticket.m_unPublicIP {
            0 => None,
            ip => Some(std::net::Ipv4Addr::from_bits(ip).into()),
        },
        expiry: ticket.m_rtimeTicketExpiry,
        routing: HostedAddress::decode(&routing.blob()).map_err(|error| error.to_string())?,
        app_id: ticket.m_nAppID,
        virtual_port: u32::try_from(ticket.m_nRestrictToVirtualPort).ok(),
        extra_fields: fields.iter().map(extra_of).collect::<Result<_, _>>()?,
    })
}

fn extra_of(field: &SteamDatagramRelayAuthTicket_ExtraField) -> Result<ExtraField, String> {
    let value = field.m_value;
    // SAFETY: every value of the union is plain bytes, of which all are there.
    let value = unsafe {
        match field.m_eType {
            extra_kind::STRING => ExtraValue::Text(field_text(&value.m_szStringValue)),
            extra_kind::INT => ExtraValue::Int(value.m_nIntValue),
            extra_kind::FIXED64 => ExtraValue::Fixed64(value.m_nFixed64Value),
            _ => return Err("an extra field has an unknown type".to_owned()),
        }
    };
    Ok(ExtraField { name: field_text(&field.m_szName), value })
}

/// The text up to the NUL, or all of it.
fn field_text(field: &[c_char]) -> String {
    let bytes: Vec<u8> =
        field.iter().map(|byte| byte.cast_unsigned()).take_while(|&byte| byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A parsed ticket in its C form. The routing stays blank: it is not for clients.
#[cfg(test)]
fn ticket_struct(ticket: &Ticket) -> SteamDatagramRelayAuthTicket {
    let empty = SteamDatagramRelayAuthTicket_ExtraField {
        m_eType: extra_kind::STRING,
        m_szName: [0; 28],
        m_value: crate::types::SteamDatagramRelayAuthTicket_ExtraFieldValue {
            m_szStringValue: [0; 128],
        },
    };
    let mut m_vecExtraFields = [empty; 16];
    for (place, field) in m_vecExtraFields.iter_mut().zip(&ticket.extra_fields) {
        place.m_szName = text_field(&field.name);
        match &field.value {
            ExtraValue::Text(text) => place.m_value.m_szStringValue = text_field(text),
            ExtraValue::Int(number) => {
                place.m_eType = extra_kind::INT;
                place.m_value.m_nIntValue = *number;
            }
            ExtraValue::Fixed64(number) => {
                place.m_eType = extra_kind::FIXED64;
                place.m_value.m_nFixed64Value = *number;
            }
        }
    }
    let client_ip = match ticket.client_ip {
        Some(std::net::IpAddr::V4(ip)) => ip.to_bits(),
        Some(std::net::IpAddr::V6(_)) | None => 0,
    };
    SteamDatagramRelayAuthTicket {
        m_identityGameserver: SteamNetworkingIdentity::from(&ticket.server),
        m_identityAuthorizedClient: SteamNetworkingIdentity::from(&ticket.client),
        m_unPublicIP: client_ip,
        m_rtimeTicketExpiry: ticket.expiry,
        m_routing: SteamDatagramHostedAddress::new(&[]),
        m_nAppID: ticket.app_id,
        m_nRestrictToVirtualPort: ticket
            .virtual_port
            .and_then(|port| c_int::try_from(port).ok())
            .unwrap_or(-1),
        m_nExtraFields: ticket.extra_fields.len().min(16) as c_int,
        m_vecExtraFields,
    }
}

fn login_struct(login: &ServerLogin) -> Result<SteamDatagramGameCoordinatorServerLogin, String> {
    let routing = login.routing.encode().ok_or("the routing has no form")?;
    let mut m_appData = [0; 2048];
    m_appData.iter_mut().zip(&login.app_data).for_each(|(place, byte)| *place = byte.cast_signed());
    Ok(SteamDatagramGameCoordinatorServerLogin {
        m_identity: SteamNetworkingIdentity::from(&login.identity),
        m_routing: SteamDatagramHostedAddress::new(&routing),
        m_nAppID: login.app_id,
        m_rtime: login.time,
        m_cbAppData: login.app_data.len().min(2048) as c_int,
        m_appData,
    })
}

fn signed_blob(bytes: &[u8]) -> Result<SteamDatagramSignedBlob, String> {
    let mut m_blob = [0; 2048];
    let place = m_blob.get_mut(..bytes.len()).ok_or("the result is longer than 2048 bytes")?;
    place.copy_from_slice(bytes);
    Ok(SteamDatagramSignedBlob { m_sz: bytes.len() as c_int, m_blob })
}

#[cfg(test)]
mod tests;
