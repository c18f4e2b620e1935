//! The functions that a C# file declares with `DllImport`.

use std::collections::BTreeMap;

/// The symbol behind each declaration: its `EntryPoint`, or else its own name. Constants of the file
/// (`const string S = "…"`) may begin an entry point.
pub(super) fn entry_points(source: &str) -> Vec<String> {
    let constants: BTreeMap<&str, &str> = source.lines().filter_map(constant).collect();
    source.split("[DllImport(").skip(1).filter_map(|rest| entry_point(rest, &constants)).collect()
}

fn constant(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.trim().strip_prefix("const string ")?.split_once(" = \"")?;
    Some((name, value.strip_suffix("\";")?))
}

fn entry_point(declaration: &str, constants: &BTreeMap<&str, &str>) -> Option<String> {
    let (attribute, _) = declaration.split_once(")]")?;
    let Some((_, value)) = attribute.split_once("EntryPoint = ") else {
        let (_, signature) = declaration.split_once(" extern ")?;
        return signature.split('(').next()?.split_whitespace().last().map(str::to_owned);
    };
    let mut symbol = String::new();
    for part in value.split(" + ") {
        match part.trim().strip_prefix('"') {
            Some(text) => symbol.push_str(text.strip_suffix('"')?),
            None => symbol.push_str(constants.get(part.trim())?),
        }
    }
    Some(symbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_kinds_of_declarations() {
        let source = "    const string S = \"A_\";\n\
             [DllImport(L, CallingConvention = C)]\nstatic extern IntPtr Plain(int a);\n\
             [DllImport(L, EntryPoint = S + \"B\")]\n[return: X(Y)]\nstatic extern bool Own(int a);\n\
             [DllImport(L, EntryPoint = \"Whole\")]\nstatic extern void Other();\n";
        assert_eq!(entry_points(source), ["Plain", "A_B", "Whole"]);
    }
}
