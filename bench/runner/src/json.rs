//! The medians as one JSON object.

use serde_json::{Map, Value};

use crate::results::Results;

/// `w1.bulk_reliable.gamewire.bytes_per_s` and so on: an object in an object for each part of the name,
/// and once more with the whole name of the workload as one key.
pub(crate) fn object(results: &Results) -> Value {
    let mut object = Map::new();
    for (case, peer, figures) in results.medians() {
        let figures: Map<String, Value> =
            figures.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
        let parts: Vec<&str> = case.split('.').collect();
        for path in [&parts[..], &[case]] {
            let mut at = &mut object;
            for key in path {
                at = below(at, key);
            }
            at.insert(peer.to_owned(), Value::Object(figures.clone()));
        }
    }
    Value::Object(object)
}

/// The object under a key, made if it is not there.
fn below<'a>(object: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    match object.entry(key).or_insert_with(|| Value::Object(Map::new())) {
        Value::Object(below) => below,
        _ => unreachable!("only objects are put in above the figures"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cases::CASES, peers::PEERS, session::Outcome};

    #[test]
    fn a_figure_is_found_by_its_name() {
        let mut results = Results::new(1);
        let figures = [("bytes_per_s".to_owned(), 5.0)].into();
        results.add(&CASES[0], &PEERS[0], Outcome { step: 0, result: Ok(figures) });
        let object = object(&results);
        assert_eq!(object["w1"]["bulk_reliable"]["gamewire"]["bytes_per_s"], 5.0);
        assert_eq!(object["w1.bulk_reliable"], object["w1"]["bulk_reliable"]);
    }
}
