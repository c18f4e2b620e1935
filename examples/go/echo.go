// A server and a client in one process: messages go over loopback and come back.
//
//	PKG_CONFIG_PATH=... go run echo.go
//
// Callbacks of C cannot be Go closures: an exported function is called, on the thread that calls RunCallbacks.
package main

/*
#cgo pkg-config: GameNetworkingSockets
#include <gamewire.h>

extern void stateChanged(SteamNetConnectionStatusChangedCallback_t *change);

static bool set_callback(void) {
	return SteamAPI_ISteamNetworkingUtils_SetGlobalCallback_SteamNetConnectionStatusChanged(
		SteamAPI_SteamNetworkingUtils_v003(), stateChanged);
}
*/
import "C"

import (
	"fmt"
	"os"
	"time"
	"unsafe"
)

const messages = 3

var (
	sockets *C.ISteamNetworkingSockets
	servers []C.HSteamNetConnection
)

// cgo does not reach into packed structs, so the fields are read at their offsets: m_info is at 4,
// m_hListenSocket at 144 in it, m_eState at 176.
//
//export stateChanged
func stateChanged(change *C.SteamNetConnectionStatusChangedCallback_t) {
	base := unsafe.Pointer(change)
	listener := *(*uint32)(unsafe.Add(base, 4+144))
	state := *(*int32)(unsafe.Add(base, 4+176))
	if state == C.k_ESteamNetworkingConnectionState_Connecting && listener != 0 {
		servers = append(servers, change.m_hConn)
		C.SteamAPI_ISteamNetworkingSockets_AcceptConnection(sockets, change.m_hConn)
	}
}

func send(connection C.HSteamNetConnection, content []byte) bool {
	result := C.SteamAPI_ISteamNetworkingSockets_SendMessageToConnection(sockets, connection,
		unsafe.Pointer(&content[0]), C.uint32_t(len(content)),
		C.k_nSteamNetworkingSend_Reliable, nil)
	return result == C.k_EResultOK
}

func receive(connection C.HSteamNetConnection) [][]byte {
	var raw [16]*C.SteamNetworkingMessage_t
	count := C.SteamAPI_ISteamNetworkingSockets_ReceiveMessagesOnConnection(sockets, connection, &raw[0], 16)
	var contents [][]byte
	for index := 0; index < int(count); index++ {
		contents = append(contents, C.GoBytes(raw[index].m_pData, raw[index].m_cbSize))
		C.SteamAPI_SteamNetworkingMessage_t_Release(raw[index])
	}
	return contents
}

// Listens on a free port of loopback, and connects to it.
func connectToOurselves() C.HSteamNetConnection {
	var address C.SteamNetworkingIPAddr
	for port := C.uint16_t(27615); port < 27715; port++ {
		C.SteamAPI_SteamNetworkingIPAddr_SetIPv4(&address, 0x7f000001, port)
		if C.SteamAPI_ISteamNetworkingSockets_CreateListenSocketIP(sockets, &address, 0, nil) != 0 {
			return C.SteamAPI_ISteamNetworkingSockets_ConnectByIPAddress(sockets, &address, 0, nil)
		}
	}
	return 0
}

func echo() bool {
	client := connectToOurselves()
	for number := 0; number < messages; number++ {
		if !send(client, []byte(fmt.Sprint("message ", number))) {
			return false
		}
	}
	cameBack := 0
	for end := time.Now().Add(20 * time.Second); cameBack < messages && time.Now().Before(end); {
		C.SteamAPI_ISteamNetworkingSockets_RunCallbacks(sockets)
		for _, server := range servers {
			for _, content := range receive(server) {
				send(server, content)
			}
		}
		for _, content := range receive(client) {
			fmt.Println("came back:", string(content))
			cameBack++
		}
		time.Sleep(time.Millisecond)
	}
	return cameBack == messages
}

func main() {
	fmt.Println("Gamewire", C.GoString(C.Gamewire_Version()))
	var text C.SteamNetworkingErrMsg
	if !C.GameNetworkingSockets_Init(nil, &text) {
		fmt.Fprintln(os.Stderr, C.GoString(&text[0]))
		os.Exit(1)
	}
	sockets = C.SteamAPI_SteamNetworkingSockets_v009()
	C.set_callback()
	succeeded := echo()
	C.GameNetworkingSockets_Kill()
	if !succeeded {
		fmt.Println("failed")
		os.Exit(1)
	}
	fmt.Println("all messages came back")
}
