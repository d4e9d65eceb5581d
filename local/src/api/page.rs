//! Pages of a list.

use super::error::ApiError;
use super::input::Input;

/// One page, and the token of the next one. A token is the position where the page starts.
pub(super) fn page<T>(
    items: Vec<T>,
    input: &Input,
    limit_name: &str,
    most: usize,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let start = match input.text("nextToken") {
        None => 0,
        Some(token) => token
            .parse::<usize>()
            .map_err(|_| ApiError::invalid("Invalid token."))?,
    };
    let limit = input
        .number(limit_name)
        .and_then(|limit| usize::try_from(limit).ok())
        .filter(|limit| (1..=most).contains(limit))
        .unwrap_or(most);
    let end = start.saturating_add(limit);
    let next = (end < items.len()).then(|| end.to_string());
    Ok((items.into_iter().skip(start).take(limit).collect(), next))
}
