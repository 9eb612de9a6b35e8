//! Checks scalar values against the schema.

use serde_json::{Number, Value, json};

use crate::names::similar;
use crate::pipeline::RateLimit;
use crate::pipeline::document::{Content, Node};
use crate::pipeline::spec::{Duration, FailureLimit, Quantity};

/// A value that does not fit the schema: the problem and the remedy.
pub(super) struct InvalidValue {
    pub(super) message: String,
    pub(super) advice: String,
}

impl InvalidValue {
    pub(super) fn new(message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            advice: advice.into(),
        }
    }

    /// The wrong kind of value altogether.
    pub(super) fn expected(what: &str, node: &Node, advice: impl Into<String>) -> Self {
        let advice = match advice.into() {
            advice if advice.is_empty() => format!("write {what}, or delete the line"),
            advice => advice,
        };
        Self::new(
            format!("expected {what}, found {}", node.describe()),
            advice,
        )
    }
}

/// A text; YAML needs no quotes around any scalar.
pub(super) fn text(node: &Node) -> Result<Value, InvalidValue> {
    match &node.content {
        Content::Quoted(text) | Content::Plain(text) => Ok(json!(text)),
        Content::Literal(text) => Err(InvalidValue::expected(
            "a text",
            node,
            format!("put it in quotes: \"{text}\""),
        )),
        Content::List(_) | Content::Map(_) => Err(InvalidValue::expected("a text", node, "")),
    }
}

/// A text with a grammar of its own, selected by the schema's name.
pub(super) fn named_text(name: &str, node: &Node) -> Result<Value, InvalidValue> {
    let value = match &node.content {
        Content::Quoted(text) | Content::Plain(text) | Content::Literal(text) => text,
        Content::List(_) | Content::Map(_) => {
            return Err(InvalidValue::expected("a text", node, ""));
        }
    };
    let invalid = |what: &str, advice: String| {
        InvalidValue::new(format!("{} is not {what}", node.describe()), advice)
    };
    match name {
        "Duration" => value
            .parse::<Duration>()
            .map(|duration| json!(duration.to_string()))
            .map_err(|error| invalid("a duration", error.to_string())),
        "Quantity" => value
            .parse::<Quantity>()
            .map(|quantity| json!(quantity.to_string()))
            .map_err(|error| invalid("a quantity", error.to_string())),
        "FailureLimit" => value
            .parse::<FailureLimit>()
            .map(|limit| json!(limit.to_string()))
            .map_err(|error| invalid("a number or a share of datums", error.to_string())),
        "RateLimit" => value
            .parse::<RateLimit>()
            .map(|rate| json!(rate.to_string()))
            .map_err(|error| invalid("a rate", error.to_string())),
        _ => text(node),
    }
}

/// `true` or `false`.
pub(super) fn boolean(node: &Node) -> Result<Value, InvalidValue> {
    if matches!(node.content, Content::Quoted(_)) {
        let advice = "write true or false without quotes";
        return Err(InvalidValue::expected("true or false", node, advice));
    }
    match node.scalar() {
        Some("true" | "True" | "TRUE") => Ok(json!(true)),
        Some("false" | "False" | "FALSE") => Ok(json!(false)),
        _ => Err(InvalidValue::expected("true or false", node, "")),
    }
}

/// A whole number, which may stand in quotes, within the bounds of the schema.
pub(super) fn integer(node: &Node, schema: &Value) -> Result<Value, InvalidValue> {
    let not_whole = || InvalidValue::expected("a whole number", node, "");
    let number: i128 = match node.scalar().map(|text| (text.parse(), text)) {
        Some((Ok(number), _)) => number,
        Some((Err(_), text)) => whole(text).ok_or_else(not_whole)?,
        None => return Err(not_whole()),
    };
    let (least, most) = integer_bounds(schema);
    if number < least || number > most {
        return Err(InvalidValue::new(
            format!("{number} is out of range"),
            range(least, most),
        ));
    }
    let number = i64::try_from(number)
        .map(Number::from)
        .or_else(|_| u64::try_from(number).map(Number::from));
    number.map(Value::Number).map_err(|_| not_whole())
}

/// A number, which may stand in quotes.
pub(super) fn number(node: &Node, schema: &Value) -> Result<Value, InvalidValue> {
    let not_a_number = || InvalidValue::expected("a number", node, thousandths(node));
    let number: f64 = node
        .scalar()
        .and_then(|text| text.parse().ok())
        .ok_or_else(not_a_number)?;
    let least = schema["minimum"].as_f64().unwrap_or(f64::NEG_INFINITY);
    let most = schema["maximum"].as_f64().unwrap_or(f64::INFINITY);
    if number > most {
        return Err(InvalidValue::new(
            format!("{number} is out of range"),
            format!("it must be {most} or less"),
        ));
    }
    if number < least {
        let advice = format!("it must be {least} or more");
        return Err(InvalidValue::new(
            format!("{number} is out of range"),
            advice,
        ));
    }
    Number::from_f64(number)
        .map(Value::Number)
        .ok_or_else(not_a_number)
}

/// Advice for CPUs written in Kubernetes' thousandths.
fn thousandths(node: &Node) -> String {
    let number = node
        .scalar()
        .and_then(|text| text.strip_suffix('m')?.parse::<f64>().ok());
    number.map_or_else(String::new, |number| format!("write {}", number / 1000.0))
}

/// A word of the schema's list, in any of the usual spellings.
pub(super) fn word(node: &Node, words: &[&str]) -> Result<Value, InvalidValue> {
    let text = node
        .scalar()
        .ok_or_else(|| InvalidValue::expected("a word", node, words.join(", ")))?;
    let folded = |text: &str| text.replace(['_', '-'], "").to_lowercase();
    if let Some(word) = words.iter().find(|word| folded(word) == folded(text)) {
        return Ok(json!(word));
    }
    let advice = match similar(text, words.iter().copied()) {
        Some(similar) => format!("did you mean `{similar}`?"),
        None => format!("one of: {}", words.join(", ")),
    };
    Err(InvalidValue::new(
        format!("{} is not known here", node.describe()),
        advice,
    ))
}

/// A whole number written with a point or an exponent, such as `1e3`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "checked to be whole and small"
)]
fn whole(text: &str) -> Option<i128> {
    let number: f64 = text.parse().ok()?;
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i128)
}

/// The least and the greatest value allowed by the schema and by the type behind it.
fn integer_bounds(schema: &Value) -> (i128, i128) {
    let (least, most) = match schema["format"].as_str() {
        Some("int32") => (i128::from(i32::MIN), i128::from(i32::MAX)),
        Some("uint32") => (0, i128::from(u32::MAX)),
        Some("uint64") => (0, i128::from(u64::MAX)),
        _ => (i128::from(i64::MIN), i128::from(i64::MAX)),
    };
    let bound = |name: &str, otherwise: i128| schema[name].as_i64().map_or(otherwise, i128::from);
    (bound("minimum", least), bound("maximum", most))
}

fn range(least: i128, most: i128) -> String {
    if most >= i128::from(i32::MAX) && least >= 0 {
        format!("it must be {least} or more")
    } else {
        format!("it must be from {least} to {most}")
    }
}
