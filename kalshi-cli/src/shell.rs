//! Quotes arguments of commands that a message recommends.

/// Returns an option with its value, quoted for a POSIX shell.
pub(crate) fn option(name: &str, value: &str) -> String {
    match value.starts_with('-') {
        // A value after a space would be taken for another option.
        true => format!("{name}={}", quoted(value)),
        false => format!("{name} {}", quoted(value)),
    }
}

fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    match !value.is_empty() && value.chars().all(is_plain) {
        true => value.to_owned(),
        false => format!("'{}'", value.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::option;

    #[test]
    fn values_are_quoted_for_a_shell() {
        for (value, expected) in [
            ("bot", "--profile bot"),
            ("", "--profile ''"),
            ("-x", "--profile=-x"),
            ("my bot", "--profile 'my bot'"),
            ("a'b;$(c)", r"--profile 'a'\''b;$(c)'"),
        ] {
            assert_eq!(option("--profile", value), expected);
        }
    }
}
