//! The part of the Common Expression Language in which the rules of the custom resource are written.
//!
//! As in the language, an error in one operand of `&&` or `||` does not count if the other operand decides.

use serde_json::{Value, json};

/// The operators of comparison, the longer ones first.
const COMPARISONS: [&str; 6] = ["==", "!=", "<=", ">=", "<", ">"];

/// The value of an expression, or the reason for its absence.
type Evaluated = Result<Value, String>;

/// True if the rule holds for `object`; `old` is the object before an update. Fails if the rule has no value.
pub(super) fn holds(rule: &str, object: &Value, old: Option<&Value>) -> Result<bool, String> {
    let mut expression = Expression {
        text: rule,
        rest: rule,
        object,
        old: old.unwrap_or(&Value::Null),
    };
    let value = expression.ternary()?;
    assert!(
        expression.rest.trim().is_empty(),
        "the interpreter does not understand `{}` in `{rule}`",
        expression.rest
    );
    value
        .as_bool()
        .ok_or_else(|| format!("no boolean: {value}"))
}

/// An expression, evaluated from left to right.
struct Expression<'a> {
    text: &'a str,
    rest: &'a str,
    object: &'a Value,
    old: &'a Value,
}

impl<'a> Expression<'a> {
    fn ternary(&mut self) -> Evaluated {
        let condition = self.or();
        if !self.takes("?") {
            return condition;
        }
        let then = self.ternary();
        self.expect(":");
        let otherwise = self.ternary();
        if truth(condition)? { then } else { otherwise }
    }

    fn or(&mut self) -> Evaluated {
        let mut value = self.and();
        while self.takes("||") {
            value = decided_by(true, value, self.and());
        }
        value
    }

    fn and(&mut self) -> Evaluated {
        let mut value = self.comparison();
        while self.takes("&&") {
            value = decided_by(false, value, self.comparison());
        }
        value
    }

    fn comparison(&mut self) -> Evaluated {
        let left = self.sum();
        let Some(operator) = COMPARISONS
            .into_iter()
            .find(|operator| self.takes(operator))
        else {
            return left;
        };
        // Both are read before either may fail.
        let right = self.sum();
        let (left, right) = (left?, right?);
        let order = left.as_f64().partial_cmp(&right.as_f64());
        let holds = match operator {
            "==" => left == right,
            "!=" => left != right,
            "<=" => order.is_some_and(std::cmp::Ordering::is_le),
            ">=" => order.is_some_and(std::cmp::Ordering::is_ge),
            "<" => order.is_some_and(std::cmp::Ordering::is_lt),
            _ => order.is_some_and(std::cmp::Ordering::is_gt),
        };
        Ok(json!(holds))
    }

    fn sum(&mut self) -> Evaluated {
        let mut value = self.unary();
        while self.takes("+") {
            let right = self.unary();
            let (left, right) = (value?, right?);
            value = Ok(json!(left.as_i64().zip(right.as_i64()).map(|(a, b)| a + b)));
        }
        value
    }

    fn unary(&mut self) -> Evaluated {
        if self.takes("!") {
            return Ok(json!(!truth(self.unary())?));
        }
        if self.takes("(") {
            let value = self.ternary();
            self.expect(")");
            return value;
        }
        if self.takes("has(") {
            let found = self.path();
            self.expect(")");
            return Ok(json!(found.is_ok()));
        }
        if self.takes("'") {
            let end = self.rest.find('\'').expect("the string ends");
            let text = json!(&self.rest[..end]);
            self.rest = &self.rest[end + 1..];
            return Ok(text);
        }
        if self
            .rest
            .trim_start()
            .starts_with(|next: char| next.is_ascii_digit())
        {
            let digits = self.word(|next| next.is_ascii_digit() || next == '.');
            let number: Value = serde_json::from_str(digits).expect("a number");
            return Ok(number);
        }
        self.path()
    }

    /// A field below `self` or `oldSelf`, perhaps with `.size()`.
    fn path(&mut self) -> Evaluated {
        let mut value = match self.name() {
            "self" => Ok(self.object.clone()),
            "oldSelf" => Ok(self.old.clone()),
            other => panic!("the interpreter does not know `{other}` in `{}`", self.text),
        };
        while self.takes(".") {
            let field = self.name();
            if field == "size" && self.takes("()") {
                value = value.map(|value| json!(value.as_str().map_or(0, |it| it.chars().count())));
                continue;
            }
            value = value.and_then(|value| {
                let found = value.get(field).cloned();
                found.ok_or_else(|| format!("no such key: {field}"))
            });
        }
        value
    }

    fn name(&mut self) -> &'a str {
        self.word(|next| next.is_ascii_alphanumeric() || next == '_')
    }

    fn word(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest.trim_start();
        let end = rest.find(|next| !is_part(next)).unwrap_or(rest.len());
        self.rest = &rest[end..];
        &rest[..end]
    }

    /// Takes the token if the rest begins with the token. `!` does not begin `!=`.
    fn takes(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start();
        let is_part = token == "!" && rest.starts_with("!=");
        match rest.strip_prefix(token) {
            Some(after) if !is_part => {
                self.rest = after;
                true
            }
            _ => false,
        }
    }

    fn expect(&mut self, token: &str) {
        assert!(
            self.takes(token),
            "`{token}` is missing before `{}` in `{}`",
            self.rest,
            self.text
        );
    }
}

/// The value of `&&` or `||`: a single `decisive` operand is enough.
fn decided_by(decisive: bool, left: Evaluated, right: Evaluated) -> Evaluated {
    match (truth(left), truth(right)) {
        (Ok(value), _) | (_, Ok(value)) if value == decisive => Ok(json!(decisive)),
        (Err(error), _) | (_, Err(error)) => Err(error),
        (Ok(_), Ok(_)) => Ok(json!(!decisive)),
    }
}

fn truth(value: Evaluated) -> Result<bool, String> {
    let value = value?;
    value
        .as_bool()
        .ok_or_else(|| format!("no boolean: {value}"))
}

#[test]
fn expressions_have_the_values_of_the_language() {
    let object = json!({ "a": 1, "b": "text", "c": { "d": false } });
    let rows = [
        ("has(self.a) && self.a == 1", Ok(true)),
        ("has(self.c.d) && !self.c.d", Ok(true)),
        ("!(has(self.x) || has(self.c.x))", Ok(true)),
        ("self.x > 1 || self.a > 0", Ok(true)),
        ("self.x > 1 && self.a > 1", Ok(false)),
        ("self.x > 1 || self.a > 1", Err("no such key: x".to_owned())),
        ("self.b.size() <= 4 && self.b != 'other'", Ok(true)),
        (
            "(has(self.a) ? 1 : 0) + (has(self.x) ? 1 : 0) <= 1",
            Ok(true),
        ),
        ("oldSelf.a == self.a", Ok(false)),
    ];
    let old = json!({ "a": 2 });
    for (rule, expected) in rows {
        assert_eq!(holds(rule, &object, Some(&old)), expected, "{rule}");
    }
}
