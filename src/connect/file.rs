//! A client's settings, with one server more: comments, order and everything else stay.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstObject, CstObjectProp, CstRootNode};
use serde_json::Value;

use super::{Client, ConnectError, Server};
use crate::files::replace_file;

/// A file that a client reads; it may not be there yet.
#[derive(Debug)]
pub struct SettingsFile {
    path: PathBuf,
    text: Option<String>,
    /// Whether the text begins with a byte order mark, which is kept.
    has_mark: bool,
}

/// What some editors of Windows put before UTF-8.
const MARK: char = '\u{feff}';

/// What became of the file.
#[derive(Debug, PartialEq, Eq)]
pub enum Merged {
    /// It had the very server.
    Unchanged,
    /// It has it now.
    Written {
        /// A copy of the file as it was before, if it was there.
        backup: Option<PathBuf>,
        /// The file's folder, if it was not there.
        folder: Option<PathBuf>,
    },
}

impl SettingsFile {
    /// Reads it; that it is not there is fine.
    ///
    /// # Errors
    /// [`ConnectError::File`] when it cannot be read, [`ConnectError::Encoding`] when it is not in
    /// UTF-8.
    pub fn open(path: PathBuf) -> Result<Self, ConnectError> {
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => {
                return Err(ConnectError::File {
                    doing: "read",
                    path,
                    source,
                });
            }
        };
        let mut text = match bytes.map(decode).transpose() {
            Ok(text) => text,
            Err(encoding) => return Err(ConnectError::Encoding { path, encoding }),
        };
        let has_mark = text.as_ref().is_some_and(|text| text.starts_with(MARK));
        if let Some(text) = text.as_mut().filter(|_| has_mark) {
            text.remove(0);
        }
        Ok(Self {
            path,
            text,
            has_mark,
        })
    }

    /// Refuses a path whose folder would have to be made along with the folder above it: that is
    /// a mistake more often than a wish.
    ///
    /// # Errors
    /// [`ConnectError::NoFolder`]
    pub fn is_placed_well(&self) -> Result<(), ConnectError> {
        let above = self.path.parent().and_then(Path::parent);
        match above {
            Some(above) if !above.as_os_str().is_empty() && !above.is_dir() => {
                Err(ConnectError::NoFolder {
                    path: self.path.clone(),
                    missing: above.to_owned(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds the server and writes the file, with a copy beside it of what it was. Another server of
    /// the same name is replaced only where `force` is set.
    ///
    /// # Errors
    /// [`ConnectError`], and the file is as it was.
    pub fn add(
        &self,
        client: Client,
        server: &Server,
        force: bool,
    ) -> Result<Merged, ConnectError> {
        let Some(text) = self.with(client, server, force)? else {
            return Ok(Merged::Unchanged);
        };
        let backup = match &self.text {
            Some(_) => Some(self.back_up()?),
            None => None,
        };
        let text = match self.has_mark {
            true => format!("{MARK}{text}"),
            false => text,
        };
        let folder = self.path.parent().filter(|folder| {
            let is_here = folder.as_os_str().is_empty();
            !is_here && !folder.is_dir()
        });
        let made = folder.map_or(Ok(()), std::fs::create_dir_all);
        match made.and_then(|()| replace_file(&self.path, &text)) {
            Ok(()) => Ok(Merged::Written {
                backup,
                folder: folder.map(Path::to_owned),
            }),
            Err(source) => Err(self.failed("write", source)),
        }
    }

    /// The text with the server in it; `None` where it is in it already.
    fn with(
        &self,
        client: Client,
        server: &Server,
        force: bool,
    ) -> Result<Option<String>, ConnectError> {
        let text = match self.text.as_deref() {
            Some(text) if !text.trim().is_empty() => text,
            _ => return Ok(Some(format!("{:#}\n", server.settings(client)))),
        };
        let key = client.servers_key();
        let wrong = |why: String| ConnectError::NotSettings {
            path: self.path.clone(),
            key,
            why,
        };
        let root =
            CstRootNode::parse(text, &options()).map_err(|error| wrong(error.to_string()))?;
        let settings = root
            .object_value_or_create()
            .ok_or_else(|| wrong("it is not an object".to_owned()))?;
        once(&settings, key).map_err(wrong)?;
        once(&settings, "inputs").map_err(wrong)?;
        let servers = settings
            .object_value_or_create(key)
            .ok_or_else(|| wrong(format!("its key {key} is not an object")))?;
        once(&servers, &server.name).map_err(wrong)?;
        let entry = server.entry(client);
        match servers.get(&server.name) {
            None => drop(servers.append(&server.name, input(&entry))),
            Some(known) => {
                let same =
                    known.value().and_then(|value| value.to_serde_value()) == Some(entry.clone());
                if same && has_inputs(&settings, server, client) {
                    return Ok(None);
                }
                if !same && !force {
                    return Err(ConnectError::Taken {
                        path: self.path.clone(),
                        name: server.name.clone(),
                    });
                }
                known.set_value(input(&entry));
            }
        }
        add_inputs(&settings, server, client).map_err(wrong)?;
        Ok(Some(root.to_string()))
    }

    /// A question that was there before under the id of one of the client's own, and does not keep
    /// its answer secret.
    pub fn open_question(&self, client: Client, server: &Server) -> Option<String> {
        let root = CstRootNode::parse(self.text.as_deref()?, &options()).ok()?;
        let known = known_inputs(&root.object_value()?);
        let asked = server.inputs(client).into_iter().find(|asked| {
            let keeps = |known: &Value| {
                known["type"] == asked["type"] && known["password"] == asked["password"]
            };
            let mut same = known.iter().filter(|known| known["id"] == asked["id"]);
            same.any(|known| !keeps(known))
        })?;
        asked["id"].as_str().map(str::to_owned)
    }

    fn back_up(&self) -> Result<PathBuf, ConnectError> {
        let now = Timestamp::now().strftime("%Y%m%dT%H%M%S%.3fZ");
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{now}.bak"));
        let backup = PathBuf::from(name);
        std::fs::copy(&self.path, &backup).map_err(|source| self.failed("back up", source))?;
        Ok(backup)
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> ConnectError {
        ConnectError::File {
            doing,
            path: self.path.clone(),
            source,
        }
    }
}

/// The text, or the name of the encoding that it is in instead of UTF-8.
fn decode(bytes: Vec<u8>) -> Result<String, &'static str> {
    match bytes.as_slice() {
        // The marks, or the first letter of what can only be ASCII.
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [_, 0, ..] | [0, _, ..] => Err("UTF-16"),
        _ => String::from_utf8(bytes).map_err(|_| "another encoding"),
    }
}

/// Of two keys of the same name one parser takes the first, most the last: neither is changed.
fn once(object: &CstObject, key: &str) -> Result<(), String> {
    let is_key = |property: &CstObjectProp| property.decoded_name().as_deref() == Some(key);
    let count = object.properties().iter().filter(|one| is_key(one)).count();
    match count {
        0 | 1 => Ok(()),
        _ => Err(format!(
            "it has the key `{key}` {count} times, and which one counts differs from program to program"
        )),
    }
}

/// JSON with comments, as VS Code has it, and nothing looser.
fn options() -> ParseOptions {
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

fn known_inputs(settings: &CstObject) -> Vec<Value> {
    settings
        .array_value("inputs")
        .map(|inputs| inputs.elements())
        .unwrap_or_default()
        .iter()
        .filter_map(|input| input.to_serde_value())
        .collect()
}

fn has_inputs(settings: &CstObject, server: &Server, client: Client) -> bool {
    let known = known_inputs(settings);
    let is_known = |input: &Value| known.iter().any(|known| known["id"] == input["id"]);
    server.inputs(client).iter().all(is_known)
}

/// Adds what the client is to ask for; a question with the same id is the user's own and stays.
fn add_inputs(settings: &CstObject, server: &Server, client: Client) -> Result<(), String> {
    let known = known_inputs(settings);
    for question in server.inputs(client) {
        if known.iter().any(|known| known["id"] == question["id"]) {
            continue;
        }
        settings
            .array_value_or_create("inputs")
            .ok_or("its key inputs is not a list")?
            .append(input(&question));
    }
    Ok(())
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(value) => CstInputValue::Bool(*value),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(values) => CstInputValue::Array(values.iter().map(input).collect()),
        Value::Object(members) => CstInputValue::Object(
            members
                .iter()
                .map(|(key, value)| (key.clone(), input(value)))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests;
