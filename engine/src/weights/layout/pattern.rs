//! Patterns of dotted names.
//!
//! `*` stands for any text within one part of a name, `**` for any number of whole parts, `<2i>` and
//! `<2i+1>` for an even and an odd number of three digits, and `<i>` for the half of it.

/// What the wildcards of a pattern stood for, in order.
type Captures = Vec<String>;

/// What the wildcards of `pattern` stand for in `name`; `None` when it does not match.
pub(super) fn matched(pattern: &str, name: &str) -> Option<Captures> {
    let pattern: Vec<&str> = pattern.split('.').collect();
    let name: Vec<&str> = name.split('.').collect();
    parts(&pattern, &name)
}

/// `pattern` with its wildcards replaced by what they stood for.
pub(super) fn filled(pattern: &str, captures: &[String]) -> String {
    let mut captures = captures.iter();
    let mut part = |part: &str| match split(part) {
        Some((before, wildcard, after)) => {
            let capture = captures.next().map_or("", String::as_str);
            let number = || capture.parse::<usize>().unwrap_or(0);
            let text = match wildcard {
                "<2i>" => format!("{:03}", 2 * number()),
                "<2i+1>" => format!("{:03}", 2 * number() + 1),
                _ => capture.to_string(),
            };
            format!("{before}{text}{after}")
        }
        None => part.to_string(),
    };
    pattern
        .split('.')
        .map(&mut part)
        .collect::<Vec<_>>()
        .join(".")
}

fn parts(pattern: &[&str], name: &[&str]) -> Option<Captures> {
    let Some((first, rest)) = pattern.split_first() else {
        return name.is_empty().then(Vec::new);
    };
    if *first == "**" {
        return (0..=name.len()).rev().find_map(|count| {
            let after = parts(rest, &name[count..])?;
            Some([vec![name[..count].join(".")], after].concat())
        });
    }
    let (part, others) = name.split_first()?;
    let captured = one(first, part)?;
    let after = parts(rest, others)?;
    Some(captured.into_iter().chain(after).collect())
}

/// What the wildcard of one part stands for, if it has one.
fn one(pattern: &str, part: &str) -> Option<Option<String>> {
    let Some((before, wildcard, after)) = split(pattern) else {
        return (pattern == part).then_some(None);
    };
    let text = part.strip_prefix(before)?.strip_suffix(after)?;
    if wildcard == "*" {
        return Some(Some(text.to_string()));
    }
    let number: usize = text.parse().ok()?;
    let captured = match wildcard {
        "<2i>" if text.len() == 3 && number % 2 == 0 => number / 2,
        "<2i+1>" if text.len() == 3 && number % 2 == 1 => number / 2,
        "<i>" => number,
        _ => return None,
    };
    Some(Some(captured.to_string()))
}

/// The text before and after the wildcard of a part, and the wildcard.
fn split(part: &str) -> Option<(&str, &str, &str)> {
    ["**", "*", "<2i>", "<2i+1>", "<i>"]
        .into_iter()
        .find_map(|wildcard| {
            let (before, after) = part.split_once(wildcard)?;
            Some((before, wildcard, after))
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn renamed(from: &str, to: &str, name: &str) -> Option<String> {
        Some(filled(to, &matched(from, name)?))
    }

    #[test]
    fn wildcards_carry_over() {
        let cases = [
            ("a.*.c.**", "x.*.y.**", "a.3.c.d.e", Some("x.3.y.d.e")),
            ("a.*.c", "x.*", "a.3.4.c", None),
            ("**.n", "**", "a.b.n", Some("a.b")),
            ("**", "**", "a.b", Some("a.b")),
            ("w_<2i>", "b.<i>.q", "w_014", Some("b.7.q")),
            ("w_<2i>", "b.<i>.q", "w_015", None),
            ("w_<2i+1>", "b.<i>.v", "w_015", Some("b.7.v")),
            ("w_<2i+1>", "b.<i>.v", "w_15", None),
            ("b.<i>.v", "w_<2i+1>", "b.7.v", Some("w_015")),
            ("b.<i>.v", "w_<2i>", "b.x.v", None),
            ("linear_*.w", "*", "linear_a_q.w", Some("a_q")),
        ];
        for (from, to, name, expected) in cases {
            assert_eq!(
                renamed(from, to, name).as_deref(),
                expected,
                "{from} {name}"
            );
        }
    }
}
