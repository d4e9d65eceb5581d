//! The registry's two ways to say no inside a result.

use serde::Deserialize;

use super::error::ToolError;

/// `InvalidInput` of the schema.
#[derive(Debug, Deserialize)]
pub(super) struct InvalidInput {
    errors: Vec<InputError>,
}

#[derive(Debug, Deserialize)]
struct InputError {
    path: Option<String>,
    message: String,
    name: String,
}

/// `OperationError` of the schema.
#[derive(Debug, Deserialize)]
pub(super) struct OperationError {
    message: String,
    name: String,
}

impl From<InvalidInput> for ToolError {
    fn from(invalid: InvalidInput) -> Self {
        let errors: Vec<_> = invalid
            .errors
            .into_iter()
            .map(
                |InputError {
                     path,
                     message,
                     name,
                 }| match path {
                    Some(path) => format!("{path}: {message} ({name})"),
                    None => format!("{message} ({name})"),
                },
            )
            .collect();
        Self::InvalidInput(errors.join("; "))
    }
}

impl From<OperationError> for ToolError {
    fn from(OperationError { message, name }: OperationError) -> Self {
        Self::RegistryFailed(format!("{message} ({name})"))
    }
}
