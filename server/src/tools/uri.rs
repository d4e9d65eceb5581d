//! `s3://` and `quilt+s3://` addresses.

use std::borrow::Cow;

use super::input::{BucketName, Key, LogicalPath, PackageName, RevisionName};
use crate::aws::{ObjectKey, S3Address};

/// What an address names.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Address {
    /// An object.
    Object(S3Address),
    /// A file in a package.
    File {
        bucket: BucketName,
        package: PackageName,
        revision: RevisionName,
        path: LogicalPath,
    },
}

/// Reads `s3://bucket/key?versionId=V`, percent-encoded as Quilt writes physical keys.
pub(super) fn object(uri: &str) -> Result<S3Address, String> {
    let rest = uri
        .strip_prefix("s3://")
        .ok_or("an object's address begins with s3://")?;
    let (rest, version) = match rest.rsplit_once("?versionId=") {
        Some((rest, version)) => (rest, Some(decode(version)?.into_owned())),
        None => (rest, None),
    };
    let (bucket, key) = rest
        .split_once('/')
        .ok_or("an object's address is s3://bucket/key")?;
    let bucket = BucketName::try_from(bucket.to_owned())?;
    Ok(S3Address {
        bucket: bucket.to_string(),
        key: ObjectKey::parse(&decode(key)?)?,
        version,
    })
}

/// Reads either kind; a file in a package is
/// `quilt+s3://bucket#package=namespace/name@hash&path=file`
/// (<https://docs.quilt.bio/quilt-platform-catalog-user/uri>).
pub(super) fn address(uri: &str) -> Result<Address, String> {
    let Some(rest) = uri.strip_prefix("quilt+s3://") else {
        return object(uri).map(Address::Object);
    };
    let (bucket, fragment) = rest
        .split_once('#')
        .ok_or("a Quilt+ URI is quilt+s3://bucket#package=namespace/name&path=file")?;
    let part = |name: &str| {
        let value = fragment
            .split('&')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        value.map(decode).transpose()
    };
    let package = part("package")?.ok_or("the Quilt+ URI names no package")?;
    let path = part("path")?.ok_or("the Quilt+ URI names no path")?;
    let (name, revision) = match package.split_once('@') {
        Some((name, hash)) => (name, RevisionName::try_from(hash.to_owned())?),
        None => (package.as_ref(), RevisionName::latest()),
    };
    Ok(Address::File {
        bucket: BucketName::try_from(bucket.to_owned())?,
        package: PackageName::try_from(name.to_owned())?,
        revision,
        path: LogicalPath::try_from(path.into_owned())?,
    })
}

/// The object that a call names, by its parts.
pub(super) fn named(bucket: &BucketName, key: &Key, version: Option<String>) -> S3Address {
    S3Address {
        bucket: bucket.to_string(),
        key: ObjectKey::parse(key.as_str()).expect("a Key was checked by the same rules"),
        version,
    }
}

/// Undoes percent-encoding; a % that encodes nothing stays as it is.
fn decode(text: &str) -> Result<Cow<'_, str>, String> {
    percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| "the address is not UTF-8 when decoded".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn physical_keys_are_read_as_quilt_writes_them() {
        for (uri, bucket, key, version) in [
            ("s3://data/a.txt", "data", "a.txt", None),
            (
                "s3://data/a b/c%20d?versionId=v.1_x",
                "data",
                "a b/c d",
                Some("v.1_x"),
            ),
            ("s3://data/100%25.csv", "data", "100%.csv", None),
            ("s3://data/what?.csv", "data", "what?.csv", None),
        ] {
            let address = object(uri).unwrap();
            assert_eq!(address.bucket, bucket);
            assert_eq!(address.key.as_str(), key);
            assert_eq!(address.version.as_deref(), version);
        }
        for uri in [
            "",
            "s3://",
            "s3://data",
            "s3://data/",
            "s3:///key",
            "http://data/key",
            "/etc/passwd",
            "s3://Data/key",
            "s3://user@data/key",
            "s3://data:80/key",
            "s3://169.254.169.254@x/key",
            "s3://data/../other/key",
            "s3://data/%2e%2e/other",
            "s3://data/a%2F..%2Fb",
            "s3://data/a%00b",
            "s3://data/%ff",
            "file:///etc/passwd",
        ] {
            assert!(object(uri).is_err(), "{uri}");
        }
    }

    #[test]
    fn files_of_packages_are_named_by_fragment() {
        let hash = "0".repeat(64);
        let uri = format!("quilt+s3://data#package=lab/run@{hash}&path=a%20b.csv");
        let Ok(Address::File { revision, path, .. }) = address(&uri) else {
            panic!("{uri}")
        };
        assert_eq!(revision.as_str(), hash);
        assert_eq!(path.as_str(), "a b.csv");
        for uri in [
            "quilt+s3://data",
            "quilt+s3://data#path=x",
            "quilt+s3://data#package=lab/run",
            "quilt+s3://data#package=lab&path=x",
            "quilt+s3://data#package=lab/run@main&path=x",
            "quilt+s3://data#package=lab/run&path=../x",
            "quilt+s3://data#package=lab/run&path=%2e%2e/x",
        ] {
            assert!(address(uri).is_err(), "{uri}");
        }
    }

    proptest! {
        #[test]
        fn an_address_is_read_as_it_was_written(key in "\\PC{1,60}", version in prop::option::of("[A-Za-z0-9._-]{1,20}")) {
            if let Ok(key) = ObjectKey::parse(&key) {
                let written = S3Address { bucket: "data".to_owned(), key, version };
                prop_assert_eq!(object(&written.to_string()), Ok(written));
            }
        }

        #[test]
        fn any_text_is_read_without_a_panic(uri in "\\PC{0,100}|(quilt\\+)?s3://[a-z0-9./%#&=@?-]{0,60}") {
            let _ = address(&uri);
        }
    }
}
