//! The table, as far as one crash goes: what was written is there when it is read. Conditions hold, since nobody else writes.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::answers::{SERVICE, STEADY_REVISION};

/// The items by their keys.
#[derive(Debug)]
pub(super) struct Memory(HashMap<(String, String), Map<String, Value>>);

impl Default for Memory {
    /// The service was steady once, on an older revision.
    fn default() -> Self {
        let mut memory = Self(HashMap::new());
        let steady = json!({
            "pk": {"S": format!("service#{SERVICE}")}, "sk": {"S": "steady-revision"},
            "revision": {"S": STEADY_REVISION}, "seen_at": {"N": "1790000000000"}
        });
        memory.put(&steady);
        memory
    }
}

impl Memory {
    /// What DynamoDB would say; none to a call that is not known here.
    pub(super) fn answer(&mut self, action: &str, request: &Value) -> Option<Value> {
        Some(match action {
            "GetItem" => self.get(&request["Key"]).map_or(json!({}), |item| json!({"Item": item})),
            "BatchGetItem" => {
                let tables = request["RequestItems"].as_object()?.iter();
                let found = tables.map(|(table, wanted)| {
                    let keys = wanted["Keys"].as_array().into_iter().flatten();
                    (table.clone(), keys.filter_map(|key| self.get(key)).cloned().map(Value::Object).collect())
                });
                json!({"Responses": found.collect::<Map<String, Value>>(), "UnprocessedKeys": {}})
            }
            // Only live incidents are looked for by their partition, and there are none before the first is written.
            "Query" => json!({"Items": [], "Count": 0, "ScannedCount": 0}),
            "PutItem" => {
                self.put(&request["Item"]);
                json!({})
            }
            "UpdateItem" => json!({"Attributes": self.update(request)}),
            "TransactWriteItems" => {
                for item in request["TransactItems"].as_array()? {
                    self.put(&item["Put"]["Item"]);
                    if item["Update"].is_object() {
                        self.update(&item["Update"]);
                    }
                    if let Some(key) = key(&item["Delete"]["Key"]) {
                        self.0.remove(&key);
                    }
                }
                json!({})
            }
            _ => return None,
        })
    }

    fn get(&self, at: &Value) -> Option<&Map<String, Value>> {
        self.0.get(&key(at)?)
    }

    fn put(&mut self, item: &Value) {
        if let (Some(key), Some(item)) = (key(item), item.as_object()) {
            self.0.insert(key, item.clone());
        }
    }

    /// The item as it is then. A value that is computed is a counter: it is 1, as it would be the first time.
    fn update(&mut self, request: &Value) -> Map<String, Value> {
        let Some(at) = key(&request["Key"]) else { return Map::new() };
        let item = self.0.entry(at).or_insert_with(|| request["Key"].as_object().cloned().unwrap_or_default());
        let expression = request["UpdateExpression"].as_str().unwrap_or_default();
        let (set, remove) = expression.split_once("REMOVE ").unwrap_or((expression, ""));
        let name = |name: &str| request["ExpressionAttributeNames"][name].as_str().unwrap_or(name).to_owned();
        for (attribute, value) in set.trim_start_matches("SET ").split(", ").filter_map(|part| part.split_once(" = ")) {
            let value = match &request["ExpressionAttributeValues"][value.trim()] {
                Value::Null => json!({"N": "1"}),
                given => given.clone(),
            };
            item.insert(name(attribute.trim()), value);
        }
        for attribute in remove.split(", ") {
            item.remove(&name(attribute.trim()));
        }
        item.clone()
    }
}

fn key(item: &Value) -> Option<(String, String)> {
    Some((item["pk"]["S"].as_str()?.to_owned(), item["sk"]["S"].as_str()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_there_when_it_is_read() {
        let mut memory = Memory::default();
        let place = json!({"pk": {"S": "incidents"}, "sk": {"S": "a b"}});
        let update = json!({"Update": {
            "Key": place, "UpdateExpression": "SET #state = :state, fence = if_not_exists(fence, :zero) + :one REMOVE dirty, held",
            "ExpressionAttributeNames": {"#state": "state"}, "ExpressionAttributeValues": {":state": {"S": "open"}}
        }});
        memory.answer("TransactWriteItems", &json!({"TransactItems": [update]})).unwrap();
        let wanted = json!({"pk": {"S": "incidents"}, "sk": {"S": "a b"}, "state": {"S": "open"}, "fence": {"N": "1"}});
        assert_eq!(memory.answer("GetItem", &json!({"Key": place})), Some(json!({"Item": wanted})));
        let batch = json!({"RequestItems": {"state": {"Keys": [place, {"pk": {"S": "x"}, "sk": {"S": "y"}}]}}});
        assert_eq!(memory.answer("BatchGetItem", &batch).unwrap()["Responses"]["state"], json!([wanted]));
        memory.answer("TransactWriteItems", &json!({"TransactItems": [{"Delete": {"Key": place}}]})).unwrap();
        assert_eq!(memory.answer("GetItem", &json!({"Key": place})), Some(json!({})));
        assert_eq!(memory.answer("Scan", &json!({})), None);
    }
}
