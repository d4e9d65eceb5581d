//! Amazon Resource Names, as text.

/// `name:7` of `arn:…:task-definition/name:7`; other names as they are.
pub fn last_part(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
