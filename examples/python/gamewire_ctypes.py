"""ISteamNetworkingSockets from Python, through ctypes and nothing else.

    LD_LIBRARY_PATH=... python3 gamewire_ctypes.py

runs a server and a client over loopback. GAMEWIRE_LIBRARY names the library if the loader does not
find it. The flat functions of gamewire.h all work like the ones that are declared here.
"""

import ctypes
import os
import sys
import time
from ctypes import (
    CFUNCTYPE, POINTER, Structure, byref, c_bool, c_char, c_char_p, c_float, c_int, c_int32, c_int64,
    c_uint8, c_uint16, c_uint32, c_void_p,
)

CONNECTING, CONNECTED, CLOSED_BY_PEER, PROBLEM_DETECTED_LOCALLY = 1, 3, 4, 5
UNRELIABLE, RELIABLE = 0, 8
RESULT_OK = 1


class IPAddr(Structure):
    _pack_ = 1
    _fields_ = [("ipv6", c_uint8 * 16), ("port", c_uint16)]


class Identity(Structure):
    _pack_ = 1
    _fields_ = [("type", c_int), ("size", c_int), ("data", c_uint8 * 128)]


class ConnectionInfo(Structure):
    _pack_ = 4
    _fields_ = [
        ("identity_remote", Identity), ("user_data", c_int64), ("listen_socket", c_uint32),
        ("address_remote", IPAddr), ("pad", c_uint16), ("pop_remote", c_uint32),
        ("pop_relay", c_uint32), ("state", c_int), ("end_reason", c_int), ("end_debug", c_char * 128),
        ("description", c_char * 128), ("flags", c_int), ("reserved", c_uint32 * 63),
    ]


class StatusChanged(Structure):
    _pack_ = 4
    _fields_ = [("connection", c_uint32), ("info", ConnectionInfo), ("old_state", c_int)]


class RealTimeStatus(Structure):
    _pack_ = 4
    _fields_ = [
        ("state", c_int), ("ping_ms", c_int), ("quality_local", c_float), ("quality_remote", c_float),
        ("out_packets_per_s", c_float), ("out_bytes_per_s", c_float), ("in_packets_per_s", c_float),
        ("in_bytes_per_s", c_float), ("send_rate", c_int), ("pending_unreliable", c_int),
        ("pending_reliable", c_int), ("sent_unacked_reliable", c_int), ("queue_time_us", c_int64),
        ("max_jitter_us", c_int), ("reserved", c_uint32 * 15),
    ]


class MessageStruct(Structure):
    _fields_ = [
        ("data", c_void_p), ("size", c_int), ("connection", c_uint32), ("peer", Identity),
        ("connection_user_data", c_int64), ("time_received_us", c_int64), ("number", c_int64),
        ("free_data", c_void_p), ("release", c_void_p), ("channel", c_int), ("flags", c_int),
        ("user_data", c_int64), ("lane", c_uint16), ("pad", c_uint16),
    ]


ErrorText = c_char * 1024
StatusCallback = CFUNCTYPE(None, POINTER(StatusChanged))
SIZES = {IPAddr: 18, Identity: 136, ConnectionInfo: 696, StatusChanged: 704, RealTimeStatus: 120,
         MessageStruct: 216}
for struct, size in SIZES.items():
    assert ctypes.sizeof(struct) == size, f"{struct.__name__} has {ctypes.sizeof(struct)} bytes"

# Name after SteamAPI_ISteamNetworkingSockets_: result, parameters after the object.
METHODS = {
    "CreateListenSocketIP": (c_uint32, [POINTER(IPAddr), c_int, c_void_p]),
    "ConnectByIPAddress": (c_uint32, [POINTER(IPAddr), c_int, c_void_p]),
    "AcceptConnection": (c_int, [c_uint32]),
    "CloseConnection": (c_bool, [c_uint32, c_int, c_char_p, c_bool]),
    "CloseListenSocket": (c_bool, [c_uint32]),
    "SendMessageToConnection":
        (c_int, [c_uint32, c_char_p, c_uint32, c_int, POINTER(c_int64)]),
    "FlushMessagesOnConnection": (c_int, [c_uint32]),
    "ReceiveMessagesOnConnection": (c_int, [c_uint32, POINTER(POINTER(MessageStruct)), c_int]),
    "GetConnectionInfo": (c_bool, [c_uint32, POINTER(ConnectionInfo)]),
    "GetConnectionRealTimeStatus":
        (c_int, [c_uint32, POINTER(RealTimeStatus), c_int, c_void_p]),
    "RunCallbacks": (None, []),
}


def load():
    """The library, with the functions of this file declared."""
    library = ctypes.CDLL(os.environ.get("GAMEWIRE_LIBRARY", "libGameNetworkingSockets.so"))

    def declare(name, result, parameters):
        function = getattr(library, name)
        function.restype, function.argtypes = result, parameters

    declare("Gamewire_Version", c_char_p, [])
    declare("GameNetworkingSockets_Init", c_bool, [POINTER(Identity), POINTER(ErrorText)])
    declare("GameNetworkingSockets_Kill", None, [])
    declare("SteamAPI_SteamNetworkingSockets_v009", c_void_p, [])
    declare("SteamAPI_SteamNetworkingUtils_v003", c_void_p, [])
    declare("SteamAPI_SteamNetworkingIPAddr_ParseString", c_bool, [POINTER(IPAddr), c_char_p])
    declare("SteamAPI_SteamNetworkingMessage_t_Release", None, [POINTER(MessageStruct)])
    declare("SteamAPI_ISteamNetworkingUtils_SetGlobalCallback_SteamNetConnectionStatusChanged", c_bool,
            [c_void_p, StatusCallback])
    declare("SteamAPI_ISteamNetworkingUtils_SetGlobalConfigValueInt32", c_bool,
            [c_void_p, c_int, c_int32])
    for name, (result, parameters) in METHODS.items():
        declare(f"SteamAPI_ISteamNetworkingSockets_{name}", result, [c_void_p, *parameters])
    return library


class Sockets:
    """The library from Init to Kill. `on_change(connection, info, old_state)` comes from `run_callbacks`."""

    def __init__(self, on_change):
        self.library = load()
        error = ErrorText()
        if not self.library.GameNetworkingSockets_Init(None, byref(error)):
            raise OSError(error.value.decode(errors="replace"))
        self.object = self.library.SteamAPI_SteamNetworkingSockets_v009()
        # The library keeps the pointer, so this object keeps the function.
        self.callback = StatusCallback(
            lambda change: on_change(change[0].connection, change[0].info, change[0].old_state))
        set_callback = self.library \
            .SteamAPI_ISteamNetworkingUtils_SetGlobalCallback_SteamNetConnectionStatusChanged
        set_callback(self.library.SteamAPI_SteamNetworkingUtils_v003(), self.callback)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.library.GameNetworkingSockets_Kill()

    def call(self, name, *arguments):
        """Any method in METHODS."""
        return getattr(self.library, f"SteamAPI_ISteamNetworkingSockets_{name}")(self.object, *arguments)

    def address(self, text):
        address = IPAddr()
        if not self.library.SteamAPI_SteamNetworkingIPAddr_ParseString(byref(address), text.encode()):
            raise ValueError(f"{text} is no address")
        return address

    def listen(self, text):
        """A listen socket, or 0."""
        return self.call("CreateListenSocketIP", byref(self.address(text)), 0, None)

    def connect(self, text):
        """A connection, or 0."""
        return self.call("ConnectByIPAddress", byref(self.address(text)), 0, None)

    def accept(self, connection):
        return self.call("AcceptConnection", connection) == RESULT_OK

    def send(self, connection, content, flags=RELIABLE):
        """The number of the message."""
        number = c_int64()
        result = self.call(
            "SendMessageToConnection", connection, content, len(content), flags, byref(number))
        if result != RESULT_OK:
            raise OSError(f"not sent: EResult {result}")
        return number.value

    def receive(self, connection, most=64):
        """The contents of the messages that are there."""
        messages = (POINTER(MessageStruct) * most)()
        contents = []
        for message in messages[:self.call("ReceiveMessagesOnConnection", connection, messages, most)]:
            contents.append(ctypes.string_at(message[0].data, message[0].size))
            self.library.SteamAPI_SteamNetworkingMessage_t_Release(message)
        return contents

    def info(self, connection):
        info = ConnectionInfo()
        return info if self.call("GetConnectionInfo", connection, byref(info)) else None

    def close(self, connection, reason=0, text="", linger=False):
        return self.call("CloseConnection", connection, reason, text.encode(), linger)

    def run_callbacks(self):
        self.call("RunCallbacks")


def echo():
    """Sends messages over loopback until all came back."""
    states, servers = {}, []

    def on_change(connection, info, _old_state):
        states[connection] = info.state
        if info.state == CONNECTING and info.listen_socket:
            servers.append(connection)
            sockets.accept(connection)

    with Sockets(on_change) as sockets:
        print("Gamewire", sockets.library.Gamewire_Version().decode())
        ports = range(27415, 27515)
        port, listener = next((port, socket) for port in ports
                              if (socket := sockets.listen(f"127.0.0.1:{port}")))
        client = sockets.connect(f"127.0.0.1:{port}")
        sent = [b"first", b"", b"\0binary\xff", b"x" * 100_000]
        for content in sent:
            sockets.send(client, content)
        came_back, end = [], time.monotonic() + 20
        while len(came_back) < len(sent) and time.monotonic() < end:
            sockets.run_callbacks()
            for server in servers:
                for content in sockets.receive(server):
                    sockets.send(server, content)
            came_back += sockets.receive(client)
            time.sleep(0.001)
        description = sockets.info(client).description.decode()
        print(description, "is", "connected" if states.get(client) == CONNECTED else "not connected")
        for connection in [client, *servers]:
            sockets.close(connection, text="bye")
        sockets.call("CloseListenSocket", listener)
        print(len(came_back), "of", len(sent), "messages came back")
        return came_back == sent


if __name__ == "__main__":
    sys.exit(0 if echo() else 1)
