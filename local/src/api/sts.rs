//! STS: who the caller is. Here everybody is the same.

use serde_json::json;

use super::error::Answer;
use crate::aws::names;

pub(super) fn call(operation: &str) -> Option<Answer> {
    (operation == "GetCallerIdentity").then(|| {
        Ok(json!({
            "Arn": names::caller(),
            "UserId": "AIDALOCALENVIRONMENT0",
            "Account": names::ACCOUNT,
        }))
    })
}
