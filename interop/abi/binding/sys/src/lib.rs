//! The declarations of Valve's flat interface, as bindgen wrote them from its headers.
#![allow(non_upper_case_globals, non_snake_case, non_camel_case_types, dead_code)]

include!(env!("GAMEWIRE_ABI_DECLARATIONS"));
