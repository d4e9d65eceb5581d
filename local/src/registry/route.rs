//! Paths of the distribution specification. A repository's name holds slashes, so a path is read from
//! its end.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Base,
    Blob { name: String, digest: String },
    Uploads { name: String },
    Upload { name: String, id: String },
    Manifest { name: String, reference: String },
    Tags { name: String },
    Referrers { name: String, digest: String },
}

impl Route {
    pub(super) fn repository(&self) -> Option<&str> {
        match self {
            Self::Base => None,
            Self::Blob { name, .. }
            | Self::Uploads { name }
            | Self::Upload { name, .. }
            | Self::Manifest { name, .. }
            | Self::Tags { name }
            | Self::Referrers { name, .. } => Some(name),
        }
    }
}

pub(super) fn parse(path: &str) -> Option<Route> {
    let rest = path.strip_prefix("/v2")?;
    if rest.is_empty() || rest == "/" {
        return Some(Route::Base);
    }
    let parts: Vec<&str> = rest.strip_prefix('/')?.split('/').collect();
    let name = |parts: &[&str]| {
        let valid = !parts.is_empty() && parts.iter().all(|part| !part.is_empty());
        valid.then(|| parts.join("/"))
    };
    match parts.as_slice() {
        [repository @ .., "blobs", "uploads"] | [repository @ .., "blobs", "uploads", ""] => {
            Some(Route::Uploads {
                name: name(repository)?,
            })
        }
        [repository @ .., "blobs", "uploads", id] => Some(Route::Upload {
            name: name(repository)?,
            id: (*id).to_owned(),
        }),
        [repository @ .., "blobs", digest] => Some(Route::Blob {
            name: name(repository)?,
            digest: (*digest).to_owned(),
        }),
        [repository @ .., "manifests", reference] if !reference.is_empty() => {
            Some(Route::Manifest {
                name: name(repository)?,
                reference: (*reference).to_owned(),
            })
        }
        [repository @ .., "tags", "list"] => Some(Route::Tags {
            name: name(repository)?,
        }),
        [repository @ .., "referrers", digest] => Some(Route::Referrers {
            name: name(repository)?,
            digest: (*digest).to_owned(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let name = || "a/b".to_owned();
        let cases = [
            ("/v2", Some(Route::Base)),
            ("/v2/", Some(Route::Base)),
            (
                "/v2/a/b/blobs/uploads/",
                Some(Route::Uploads { name: name() }),
            ),
            ("/v2/a/b/tags/list", Some(Route::Tags { name: name() })),
            (
                "/v2/a/b/manifests/1.0",
                Some(Route::Manifest {
                    name: name(),
                    reference: "1.0".to_owned(),
                }),
            ),
            (
                "/v2/a/b/blobs/uploads/x",
                Some(Route::Upload {
                    name: name(),
                    id: "x".to_owned(),
                }),
            ),
            ("/v2/manifests/1.0", None),
            ("/v2/a//manifests/1.0", None),
            ("/v2/a/b/manifests/", None),
            ("/v1/", None),
            ("/v2x", None),
        ];
        for (path, expected) in cases {
            assert_eq!(parse(path), expected, "{path}");
        }
    }
}
