//! The programs: what each is about, and what its output is compared with.

/// What counts as right.
#[derive(Clone, Copy, Debug)]
pub enum Standard {
    /// What it prints with Valve's library, up to the declared differences.
    Valve,
    /// This text, with our library: Valve's ends the program, or promises nothing.
    Ours(&'static str),
    /// This text, whichever library: it looks only at the headers.
    Headers(&'static str),
}

/// One program.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name, and that of its source without the ending.
    pub name: &'static str,
    /// The ending of its source: which language it is in.
    pub ending: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// What counts as right.
    pub standard: Standard,
}

const fn differential(name: &'static str, about: &'static str) -> Program {
    Program { name, ending: "cpp", about, standard: Standard::Valve }
}

const fn headers(name: &'static str, about: &'static str, expected: &'static str) -> Program {
    Program { name, ending: "cpp", about, standard: Standard::Headers(expected) }
}

/// All of them, in the order of the table.
pub const PROGRAMS: &[Program] = &[
    headers("layout", "structures", include_str!("../../abi/expected/layout.txt")),
    headers("slots", "virtual functions", include_str!("../../abi/expected/slots.txt")),
    headers("values", "constants", include_str!("../../abi/expected/values.txt")),
    differential("connect", "connecting over IP, identities"),
    differential("closing", "ends of every kind"),
    differential("messages", "flags, sizes, limits"),
    differential("ownership", "who frees which message"),
    differential("lanes", "lanes, priorities, weights"),
    differential("poll_groups", "poll groups"),
    differential("callbacks", "where status changes are reported"),
    differential("reentry", "callbacks that call back in"),
    differential("status", "information, names, user data"),
    differential("config", "values, types, limits"),
    differential("config_scopes", "scopes and inheritance"),
    differential("text", "identities and addresses as text"),
    differential("pairs", "socket pairs"),
    differential("signaling", "custom signaling"),
    differential("unavailable", "what needs a service"),
    differential("lifecycle", "Init and Kill"),
    differential("manual_poll", "without a service thread"),
    differential("debug_output", "debug output and its levels"),
    Program {
        name: "flat",
        ending: "c",
        about: "flat functions from plain C",
        standard: Standard::Valve,
    },
    Program {
        name: "hostile",
        ending: "cpp",
        about: "null pointers, bad sizes, dead handles",
        standard: Standard::Ours(include_str!("../../abi/expected/hostile.txt")),
    },
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_source_is_listed_and_every_listed_source_exists() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("abi/programs");
        for program in PROGRAMS {
            let path = folder.join(format!("{}.{}", program.name, program.ending));
            assert!(path.is_file(), "{}", path.display());
        }
        let sources = std::fs::read_dir(&folder).unwrap().filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            [".c", ".cpp"].iter().any(|ending| name.ends_with(ending)).then_some(name)
        });
        for source in sources {
            let listed = PROGRAMS
                .iter()
                .any(|program| source == format!("{}.{}", program.name, program.ending));
            assert!(listed, "{source}");
        }
    }
}
