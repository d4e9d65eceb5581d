//! The text of the file, and refusals that point into it.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use miette::NamedSource;
use toml::Spanned;
use url::Url;

use super::ConfigError;

/// The file being read, for messages that point into it.
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl Source<'_> {
    pub(super) fn invalid(
        &self,
        span: Range<usize>,
        message: String,
        label: impl Into<String>,
        help: Option<&str>,
    ) -> ConfigError {
        ConfigError::Invalid {
            path: self.path.to_owned(),
            message,
            text: Arc::new(NamedSource::new(
                self.path.display().to_string(),
                self.text.to_owned(),
            )),
            at: span.into(),
            label: label.into(),
            help: help.map(str::to_owned),
        }
    }

    pub(super) fn syntax(&self, error: &toml::de::Error) -> ConfigError {
        let span = error.span().unwrap_or(0..0);
        // A missing key is reported over the whole table: its header line is the place to look.
        let first_line_end = self.text[span.start..]
            .find('\n')
            .map_or(self.text.len(), |offset| span.start + offset);
        let span = span.start..span.end.min(first_line_end).max(span.start);
        let message = error.message().trim().to_owned();
        let label = if message.starts_with("missing field") {
            "in this table"
        } else {
            "here"
        };
        // TOML reads an account's number as a number, and drops a zero before it.
        let is_unquoted =
            message.starts_with("invalid type: ") && message.ends_with("expected a string");
        let help = if is_unquoted {
            "put the value in quotes"
        } else {
            "the keys are described in docs/reference/configuration.md"
        };
        self.invalid(span, message, label, Some(help))
    }

    pub(super) fn matches(
        &self,
        value: &Spanned<String>,
        key: &str,
        wanted: &str,
        accept: impl Fn(&str) -> bool,
    ) -> Result<(), ConfigError> {
        if accept(value.get_ref()) {
            return Ok(());
        }
        Err(self.invalid(
            value.span(),
            format!("{key} must be {wanted}"),
            format!("this is `{}`", value.get_ref()),
            None,
        ))
    }

    pub(super) fn url(&self, value: &Spanned<String>, key: &str) -> Result<Url, ConfigError> {
        let refuse = |why: String| self.invalid(value.span(), format!("{key} {why}"), "here", None);
        let url = Url::parse(value.get_ref())
            .map_err(|error| refuse(format!("is not a URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("must start with https://".into()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("must not carry a user or a password".into()));
        }
        Ok(url)
    }
}
