//! The coordinator as a back end in C would call it.

use std::{
    ffi::CString,
    ptr::{null, null_mut},
};

use super::*;
use crate::flat::hosted_address::*;

/// A throw-away key, made for this test.
const KEY: &str = include_str!("test_key.pem");
const RELAY_KEY: &str = "8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f";

/// The coordinator concerns the whole process, so tests take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no_message() -> SteamNetworkingErrMsg {
    [0; 1024]
}

fn message_of(message: &SteamNetworkingErrMsg) -> String {
    field_text(message)
}

fn init(insecure: bool) {
    SteamDatagram_GameCoordinator_Init(insecure, None);
    let config = format!(r#"{{"pops": {{"sto": {{}}}}, "relay_public_key": "{RELAY_KEY}"}}"#);
    let mut message = no_message();
    let mut key = KEY.as_bytes().to_vec();
    // SAFETY: bytes with their lengths, and room for a message.
    unsafe {
        let (data, length) = (config.as_ptr().cast(), config.len());
        assert!(SteamDatagram_GameCoordinator_SetNetworkConfig(data, length, &raw mut message));
        let place = key.as_mut_ptr().cast();
        assert!(SteamDatagram_SetPrivateKey_Ed25519(place, key.len(), &raw mut message));
    }
    assert!(key.iter().all(|&byte| byte == 0), "the caller's copy is wiped");
}

fn identity(text: &str) -> SteamNetworkingIdentity {
    SteamNetworkingIdentity::from(&text.parse().unwrap())
}

fn ticket() -> SteamDatagramRelayAuthTicket {
    let mut routing = SteamDatagramHostedAddress::new(&[]);
    // SAFETY: the struct is there.
    unsafe {
        SteamAPI_SteamDatagramHostedAddress_SetDevAddress(&raw mut routing, 0xc000_0207, 27015, 0);
        assert_eq!(SteamAPI_SteamDatagramHostedAddress_GetPopID(&raw mut routing), 0x0064_6576);
    }
    assert_eq!(routing.blob(), b"dev\0\x01\x01\x87\x69\x07\x02\0\xc0");
    let filled = Ticket {
        server: "str:server".parse().unwrap(),
        client: "steamid:76561197960265729".parse().unwrap(),
        client_ip: Some([198, 51, 100, 3].into()),
        expiry: u32::MAX,
        routing: HostedAddress::decode(&routing.blob()).unwrap(),
        app_id: 480,
        virtual_port: Some(7),
        extra_fields: vec![
            ExtraField { name: "mode".into(), value: ExtraValue::Text("ranked".into()) },
            ExtraField { name: "team".into(), value: ExtraValue::Int(-2) },
            ExtraField { name: "lobby".into(), value: ExtraValue::Fixed64(u64::MAX) },
        ],
    };
    let mut ticket = ticket_struct(&filled);
    assert!(ticket.m_routing.blob().is_empty(), "not for clients");
    ticket.m_routing = routing;
    assert_eq!(ticket_of(&ticket), Ok(filled));
    ticket
}

fn sign(ticket: &SteamDatagramRelayAuthTicket) -> Result<Vec<u8>, String> {
    let mut blob = SteamDatagramSignedBlob { m_sz: 0, m_blob: [0; 2048] };
    let mut message = no_message();
    // SAFETY: all three are there.
    let done =
        unsafe { SteamDatagram_SerializeAndSignTicket(ticket, &raw mut blob, &raw mut message) };
    if done { Ok(blob.m_blob[..blob.m_sz as usize].to_vec()) } else { Err(message_of(&message)) }
}

#[test]
fn tickets() {
    let _turn = turn();
    init(false);
    let bytes = sign(&ticket()).unwrap();
    let parsed = gamewire::coordinator::SignedTicket::parse(&bytes).unwrap();
    assert!(matches!(parsed.ticket().routing, HostedAddress::Encrypted { .. }));
    assert_eq!(parsed.ticket().extra_fields.len(), 3);
    assert_eq!(parsed.ticket().virtual_port, Some(7));
    let broken = [
        SteamDatagramRelayAuthTicket { m_nExtraFields: 17, ..ticket() },
        SteamDatagramRelayAuthTicket { m_nExtraFields: -1, ..ticket() },
        SteamDatagramRelayAuthTicket { m_nAppID: 0, ..ticket() },
        SteamDatagramRelayAuthTicket {
            m_identityGameserver: SteamNetworkingIdentity::CLEAR,
            ..ticket()
        },
        SteamDatagramRelayAuthTicket {
            m_routing: SteamDatagramHostedAddress { m_cbSize: i32::MAX, m_data: [0; 128] },
            ..ticket()
        },
    ];
    for ticket in &broken {
        assert!(!sign(ticket).unwrap_err().is_empty());
    }
}

#[test]
fn certificates() {
    let _turn = turn();
    init(false);
    let request = gamewire_request();
    let mut blob = SteamDatagramSignedBlob { m_sz: 0, m_blob: [0; 2048] };
    let mut message = no_message();
    let player = identity("steamid:76561197960265729");
    let mut make = |identity: *const SteamNetworkingIdentity, app, request: &[u8]| {
        let (data, length) = (request.as_ptr().cast(), request.len());
        let (blob, message) = (&raw mut blob, &raw mut message);
        // SAFETY: all are there, or null.
        unsafe { SteamDatagram_CreateCert(identity, app, data, length, blob, message) }
    };
    assert!(make(&raw const player, 480, &request));
    assert!(!make(&raw const player, 0, &request));
    assert!(!make(null(), 480, &request));
    assert!(!make(&raw const player, 480, &[]));
    assert!(blob.m_sz > 100);
}

/// What `GetCertificateRequest` gives, for a key of 32 times 9.
fn gamewire_request() -> Vec<u8> {
    let mut cert = vec![0x08, 1, 0x12, 32];
    cert.extend([9; 32]);
    let mut request = vec![0x0a, cert.len() as u8];
    request.extend(cert);
    request
}

#[test]
fn logins_are_checked() {
    let _turn = turn();
    init(false);
    let login = gamewire_login();
    let parse = |allow| {
        // SAFETY: only bytes and numbers, for which zero is a value.
        let mut result: SteamDatagramGameCoordinatorServerLogin = unsafe { std::mem::zeroed() };
        let mut message = no_message();
        let (data, length) = (login.as_ptr().cast(), login.len());
        let (place, text) = (&raw mut result, &raw mut message);
        // SAFETY: all are there.
        let done =
            unsafe { SteamDatagram_ParseHostedServerLogin(data, length, place, allow, text) };
        if done { Ok(result) } else { Err(message_of(&message)) }
    };
    let result = parse(true).unwrap();
    let app_data = result.m_appData;
    assert_eq!(field_text(&app_data), "hello");
    let routing = result.m_routing;
    assert_eq!(routing.blob()[..4], *b"dev\0");
    assert!(parse(false).err().unwrap().contains("dev"));
}

/// An unsigned login of a server in `dev`, field by field.
fn gamewire_login() -> Vec<u8> {
    let routing = b"dev\0\x01\x01\x87\x69\x07\x02\0\xc0";
    let mut login = vec![0x08, 1, 0x10, 0xe0, 3, 0x1a, routing.len() as u8];
    login.extend(routing);
    login.extend([0x22, 5]);
    login.extend(b"hello");
    login.extend([0x32, 10]);
    login.extend(b"str:server");
    let mut signed = vec![0x12, login.len() as u8];
    signed.extend(login);
    signed
}

#[test]
fn nothing_works_without_init_and_null_does_no_harm() {
    let _turn = turn();
    *coordinator() = None;
    assert!(sign(&ticket()).unwrap_err().contains("Init"));
    init(true);
    let mut message = no_message();
    // SAFETY: null is what these calls must survive.
    unsafe {
        let text = &raw mut message;
        assert!(!SteamDatagram_SerializeAndSignTicket(null(), null_mut(), null_mut()));
        assert!(!SteamDatagram_SerializeAndSignTicket(null(), null_mut(), text));
        assert!(!SteamDatagram_GameCoordinator_SetNetworkConfig(null(), 5, text));
        assert!(!SteamDatagram_SetPrivateKey_Ed25519(null_mut(), 5, text));
        assert!(!SteamDatagram_ParseHostedServerLogin(null(), 5, null_mut(), true, text));
        assert!(!SteamDatagram_CreateCert(null(), 1, null(), 0, null_mut(), null_mut()));
        assert!(!SteamDatagram_ParsePingLocation(null(), null_mut()));
        assert_eq!(SteamDatagram_EstimatePingBetweenTwoLocations(null(), null()), -1);
        assert!(!SteamDatagram_GameCoordinator_GetNetworkConfigURL(480).is_null());
    }
    // A key that is none is wiped all the same.
    let mut wrong = *b"-----BEGIN";
    // SAFETY: bytes with their length.
    unsafe { SteamDatagram_SetPrivateKey_Ed25519(wrong.as_mut_ptr().cast(), 10, null_mut()) };
    assert_eq!(wrong, [0; 10]);
    SteamDatagram_GameCoordinator_SetUniverse(1);
}

#[test]
fn locations() {
    let _turn = turn();
    init(false);
    let parse = |text: &str| {
        let text = CString::new(text).unwrap();
        let mut location = SteamNetworkPingLocation_t { m_data: [7; 512] };
        // SAFETY: text with a NUL, and room for the result.
        let done = unsafe { SteamDatagram_ParsePingLocation(text.as_ptr(), &raw mut location) };
        done.then_some(location)
    };
    let (a, b) = (parse("sto=5+1").unwrap(), parse("sto=7+0,fra=20+2").unwrap());
    // SAFETY: both are there.
    let estimate =
        unsafe { SteamDatagram_EstimatePingBetweenTwoLocations(&raw const a, &raw const b) };
    assert_eq!(estimate, 13);
    assert!(parse("nonsense").is_none());
}

#[test]
fn the_config_of_the_process() {
    use crate::flat::tools::*;
    let _turn = turn();
    let config = br#"{"pops": {"sto": {}, "fra": {}}, "typical_pings": [["sto", "fra", 23]]}"#;
    let mut message = no_message();
    let parse = |text: &str| {
        let text = CString::new(text).unwrap();
        let mut location = SteamNetworkPingLocation_t { m_data: [7; 512] };
        let place = &raw mut location;
        // SAFETY: text with a NUL, and room for the result.
        assert!(unsafe {
            SteamAPI_ISteamNetworkingUtils_ParsePingLocationString(null_mut(), text.as_ptr(), place)
        });
        location
    };
    let (sto, fra) = (parse("sto=5+1"), parse("fra=7+0"));
    // SAFETY: all are there, or null.
    unsafe {
        let (data, length) = (config.as_ptr().cast(), config.len());
        assert!(SteamDatagram_SetNetworkConfig(data, length, &raw mut message));
        assert!(!SteamDatagram_SetNetworkConfig(data, 3, &raw mut message));
        assert!(!message_of(&message).is_empty());
        assert_eq!(SteamAPI_ISteamNetworkingUtils_GetPOPCount(null_mut()), 2);
        let mut list = [0; 3];
        let place = list.as_mut_ptr();
        assert_eq!(SteamAPI_ISteamNetworkingUtils_GetPOPList(null_mut(), place, 1), 1);
        assert_eq!(list, [0x0066_7261, 0, 0]);
        assert_eq!(SteamAPI_ISteamNetworkingUtils_GetPOPList(null_mut(), place, 3), 2);
        assert_eq!(SteamAPI_ISteamNetworkingUtils_GetPOPList(null_mut(), place, -1), 0);
        assert_eq!(SteamAPI_ISteamNetworkingUtils_GetPOPList(null_mut(), null_mut(), 3), 0);
        let estimate = SteamAPI_ISteamNetworkingUtils_EstimatePingTimeBetweenTwoLocations(
            null_mut(),
            &raw const sto,
            &raw const fra,
        );
        assert_eq!(estimate, 6 + 23 + 7);
        let mut text = [0; 20];
        let place = text.as_mut_ptr();
        let utils = null_mut();
        SteamAPI_ISteamNetworkingUtils_ConvertPingLocationToString(
            utils,
            &raw const sto,
            place,
            20,
        );
        assert_eq!(field_text(&text), "sto=5+1");
    }
}
