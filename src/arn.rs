//! Amazon Resource Names, as text.

/// `name:7` of `arn:…:task-definition/name:7`; other names as they are.
pub fn last_part(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// `aws` of `arn:aws:…`, also where the text is no ARN.
pub fn partition(arn: &str) -> &str {
    arn.split(':').nth(1).unwrap_or("aws")
}
