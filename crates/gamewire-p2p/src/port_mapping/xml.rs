//! As much of XML as a router's description needs: text between tags, found without a tree.

/// The text of the first element of a name, namespaces left aside.
pub(super) fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    elements(text, name).next()
}

/// The texts of all elements of a name, in order; one within another of the same name is left out.
pub(super) fn elements<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let open = rest.find('<')?;
            let tag = &rest[open + 1..];
            let end = tag.find('>')?;
            let (head, body) = (&tag[..end], &tag[end + 1..]);
            rest = body;
            if head.starts_with(['/', '?', '!']) || head.ends_with('/') {
                continue;
            }
            let full = head.split_ascii_whitespace().next()?;
            if local_name(full) != name {
                continue;
            }
            let close = format!("</{full}>");
            let inner = &body[..body.find(&close)?];
            rest = &body[inner.len()..];
            return Some(inner.trim());
        }
    })
}

fn local_name(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_whatever_their_prefix() {
        let text = "<?xml?><!-- <a>no</a --><s:A x='1'><b/><b> one </b></s:A><A>two</A><A>open";
        assert_eq!(elements(text, "A").collect::<Vec<_>>(), ["<b/><b> one </b>", "two"]);
        assert_eq!(element(text, "b"), Some("one"));
        assert_eq!(element(text, "c"), None);
    }

    #[test]
    fn broken_text_ends_the_search() {
        for text in ["", "<", "<a", "<a>", "<a></b>", "< >", "<a><a></a", "<>"] {
            let _ = element(text, "a");
            assert_eq!(element(text, "x"), None);
        }
    }
}
