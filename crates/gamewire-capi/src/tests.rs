//! The interface as a C program would call it, where a wrong call must not do harm.

use std::{ffi::c_void, ptr::null, ptr::null_mut};

use crate::{
    flat::{
        config::*, fake_udp_port::*, library::*, messages::*, sockets_auth::*,
        sockets_connecting::*, sockets_info::*, sockets_messages::*, sockets_p2p::*,
        sockets_relay::*, text::*, tools::*,
    },
    types::*,
    vtables::ISteamNetworkingSockets,
};

/// Init and Kill concern the whole process, so tests that use them take turns.
static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn turn() -> std::sync::MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn init() -> *mut ISteamNetworkingSockets {
    let mut message: SteamNetworkingErrMsg = [0; 1024];
    // SAFETY: null means localhost, and there is room for a message.
    assert!(unsafe { GameNetworkingSockets_Init(null(), &raw mut message) });
    SteamNetworkingSockets_LibV12()
}

/// Calls of which each gets nothing it could use; with an object that is up, killed, or none.
fn misuse(sockets: *mut ISteamNetworkingSockets) {
    // SAFETY: null pointers, wrong sizes and dead handles are what these calls must survive.
    unsafe {
        assert_eq!(
            SteamAPI_ISteamNetworkingSockets_CreateListenSocketIP(sockets, null(), 0, null()),
            0
        );
        assert_eq!(
            SteamAPI_ISteamNetworkingSockets_ConnectByIPAddress(sockets, null(), 0, null()),
            0
        );
        let zero = SteamNetworkingIPAddr::CLEAR;
        let zero = &raw const zero;
        assert_eq!(
            SteamAPI_ISteamNetworkingSockets_ConnectByIPAddress(sockets, zero, 0, null()),
            0
        );
        assert_eq!(
            SteamAPI_ISteamNetworkingSockets_CreateListenSocketIP(sockets, zero, 5, null()),
            0
        );
        assert_eq!(
            SteamAPI_ISteamNetworkingSockets_CreateListenSocketIP(sockets, zero, -5, null()),
            0
        );
        for handle in [0, 1, 0x1_0000, 0x8000_0000, u32::MAX] {
            misuse_of_handle(sockets, handle);
        }
        let flags = SteamAPI_ISteamNetworkingSockets_CreateSocketPair(
            sockets,
            null_mut(),
            null_mut(),
            false,
            null(),
            null(),
        );
        assert!(!flags);
        SteamAPI_ISteamNetworkingSockets_SendMessages(sockets, 3, null_mut(), null_mut(), true);
        SteamAPI_ISteamNetworkingSockets_SendMessages(sockets, -3, null_mut(), null_mut(), false);
        let mut nothing = [null_mut::<SteamNetworkingMessage_t>(); 2];
        let mut results = [0_i64; 2];
        let (messages, numbers) = (nothing.as_mut_ptr(), results.as_mut_ptr());
        SteamAPI_ISteamNetworkingSockets_SendMessages(sockets, 2, messages, numbers, true);
        assert_eq!(results, [-8, -8]);
        assert!(!SteamAPI_ISteamNetworkingSockets_SetCertificate(sockets, null(), -1, null_mut()));
        assert!(!SteamAPI_ISteamNetworkingSockets_GetCertificateRequest(
            sockets,
            null_mut(),
            null_mut(),
            null_mut(),
        ));
        SteamAPI_ISteamNetworkingSockets_RunCallbacks(sockets);
        SteamAPI_ISteamNetworkingSockets_GetIdentity(sockets, null_mut());
        SteamAPI_ISteamNetworkingSockets_GetFakeIP(sockets, 0, null_mut());
        assert!(SteamAPI_ISteamNetworkingSockets_CreateFakeUDPPort(sockets, 0).is_null());
        assert!(!SteamAPI_ISteamNetworkingSockets_ReceivedP2PCustomSignal(
            sockets,
            null(),
            100,
            null_mut(),
        ));
        let none = SteamAPI_ISteamNetworkingSockets_ConnectP2PCustomSignaling(
            sockets,
            null_mut(),
            null(),
            0,
            0,
            null(),
        );
        assert_eq!(none, 0);
    }
}

/// # Safety
/// None needed: that is the point.
unsafe fn misuse_of_handle(sockets: *mut ISteamNetworkingSockets, handle: u32) {
    // SAFETY: as for `misuse`.
    unsafe {
        assert_eq!(SteamAPI_ISteamNetworkingSockets_AcceptConnection(sockets, handle), 8);
        assert!(!SteamAPI_ISteamNetworkingSockets_CloseConnection(
            sockets,
            handle,
            -1,
            null(),
            true
        ));
        assert!(!SteamAPI_ISteamNetworkingSockets_CloseListenSocket(sockets, handle));
        assert_eq!(SteamAPI_ISteamNetworkingSockets_GetConnectionUserData(sockets, handle), -1);
        assert!(!SteamAPI_ISteamNetworkingSockets_GetConnectionInfo(sockets, handle, null_mut()));
        assert_eq!(
            SteamAPI_ISteamNetworkingSockets_SendMessageToConnection(
                sockets,
                handle,
                null(),
                u32::MAX,
                -1,
                null_mut(),
            ),
            8
        );
        assert_eq!(
            SteamAPI_ISteamNetworkingSockets_ReceiveMessagesOnConnection(
                sockets,
                handle,
                null_mut(),
                i32::MAX,
            ),
            -1
        );
        assert_eq!(
            SteamAPI_ISteamNetworkingSockets_ReceiveMessagesOnPollGroup(
                sockets,
                handle,
                null_mut(),
                -7,
            ),
            -1
        );
        assert_eq!(
            SteamAPI_ISteamNetworkingSockets_GetDetailedConnectionStatus(
                sockets,
                handle,
                null_mut(),
                i32::MIN,
            ),
            -1
        );
        assert_eq!(
            SteamAPI_ISteamNetworkingSockets_ConfigureConnectionLanes(
                sockets,
                handle,
                i32::MAX,
                null(),
                null(),
            ),
            3
        );
        assert_eq!(
            SteamAPI_ISteamNetworkingSockets_GetConnectionRealTimeStatus(
                sockets,
                handle,
                null_mut(),
                -1,
                null_mut(),
            ),
            3
        );
        SteamAPI_ISteamNetworkingSockets_SetConnectionName(sockets, handle, null());
    }
}

#[test]
fn misuse_gets_the_documented_answers_before_during_and_after() {
    let _turn = turn();
    misuse(null_mut());
    assert!(SteamNetworkingSockets_LibV12().is_null());
    let sockets = init();
    misuse(sockets);
    misuse(null_mut());
    GameNetworkingSockets_Kill();
    assert!(SteamNetworkingSockets_LibV12().is_null());
    misuse(sockets);
}

#[test]
fn init_and_kill_in_a_loop_leave_nothing() {
    let _turn = turn();
    for _ in 0..20 {
        let sockets = init();
        assert!(!SteamGameServerNetworkingSockets_LibV12().is_null());
        let (mut first, mut second) = (0, 0);
        // SAFETY: there is room for the handles.
        assert!(unsafe {
            SteamAPI_ISteamNetworkingSockets_CreateSocketPair(
                sockets,
                &raw mut first,
                &raw mut second,
                true,
                null(),
                null(),
            )
        });
        assert_eq!(crate::gamewire_functions::Gamewire_ConnectionCount(), 2);
        GameNetworkingSockets_Kill();
        assert_eq!(crate::gamewire_functions::Gamewire_ConnectionCount(), 0);
    }
}

#[test]
fn handles_of_the_two_interfaces_differ_and_configuration_finds_both() {
    let _turn = turn();
    let user = init();
    let server = SteamGameServerNetworkingSockets_LibV12();
    let mut handles = [[0_u32; 2]; 2];
    for (sockets, [first, second]) in [user, server].into_iter().zip(&mut handles) {
        // SAFETY: there is room for the handles.
        assert!(unsafe {
            SteamAPI_ISteamNetworkingSockets_CreateSocketPair(
                sockets,
                first,
                second,
                false,
                null(),
                null(),
            )
        });
    }
    assert_ne!(handles[0], handles[1]);
    for handle in handles.into_iter().flatten() {
        const NAGLE_TIME: i32 = 12;
        let utils = SteamNetworkingUtils_LibV4();
        assert!(SteamAPI_ISteamNetworkingUtils_SetConnectionConfigValueInt32(
            utils, handle, NAGLE_TIME, 77
        ));
    }
    assert_eq!(SteamAPI_ISteamNetworkingSockets_AcceptConnection(user, handles[1][0]), 8);
    GameNetworkingSockets_Kill();
}

#[test]
fn what_is_not_there_yet_says_so() {
    let (tools, nobody) = (SteamNetworkingUtils_LibV4(), null_mut::<c_void>());
    // SAFETY: null pointers are what these calls must survive.
    unsafe {
        assert_eq!(SteamAPI_ISteamNetworkingUtils_GetRelayNetworkStatus(tools, null_mut()), -102);
        assert_eq!(SteamAPI_ISteamNetworkingUtils_GetPingToDataCenter(tools, 0, null_mut()), -2);
        assert!(!SteamAPI_ISteamNetworkingUtils_ParsePingLocationString(tools, null(), null_mut()));
        let sent = SteamAPI_ISteamNetworkingMessages_SendMessageToUser(
            null_mut(),
            null(),
            nobody,
            5,
            0,
            0,
        );
        assert_eq!(sent, 8);
        SteamAPI_ISteamNetworkingMessages_GetSessionConnectionInfo(
            null_mut(),
            null(),
            null_mut(),
            null_mut(),
        );
        let port = null_mut();
        let result =
            SteamAPI_ISteamNetworkingFakeUDPPort_SendMessageToFakeIP(port, null(), nobody, 5, 0);
        assert_eq!(result, 8);
        SteamAPI_ISteamNetworkingFakeUDPPort_DestroyFakeUDPPort(port);
        SteamNetworkingIdentity_ToString(null(), null_mut(), 128);
        assert!(!SteamNetworkingIdentity_ParseString(null_mut(), 136, null()));
        assert!(!SteamNetworkingIPAddr_ParseString(null_mut(), null()));
    }
}

#[test]
fn sizes_below_zero_and_short_buffers() {
    let tools = SteamNetworkingUtils_LibV4();
    assert!(SteamAPI_ISteamNetworkingUtils_AllocateMessage(tools, -1).is_null());
    let (mut data_type, mut value, mut size) = (0, 0_i32, 3_usize);
    let mut read = |id: i32, size: &mut usize| {
        let (data_type, value) = (&raw mut data_type, (&raw mut value).cast());
        // SAFETY: there is room for a number; the size says so, or less.
        unsafe {
            SteamAPI_ISteamNetworkingUtils_GetConfigValue(tools, id, 1, 0, data_type, value, size)
        }
    };
    const NAGLE_TIME: i32 = 12;
    assert_eq!(read(NAGLE_TIME, &mut size), -3);
    assert_eq!(size, 4);
    assert_eq!(read(NAGLE_TIME, &mut size), 1);
    assert_eq!(read(-4, &mut size), -1);
}
