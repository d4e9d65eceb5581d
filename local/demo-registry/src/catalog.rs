//! The data of a registry.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Everything that a registry holds.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Who holds which bearer token.
    pub users: BTreeMap<String, User>,
    /// The stack's buckets, in the order in which they are listed.
    pub buckets: Vec<Bucket>,
    /// All packages of all buckets.
    pub packages: Vec<Package>,
}

/// Somebody whom the registry knows.
#[derive(Clone, Debug)]
pub struct User {
    /// The login name.
    pub name: String,
    /// The address that the name belongs to.
    pub email: String,
    /// Whether the user administers the stack.
    pub is_admin: bool,
    /// The active role, first, and the roles that the user may switch to.
    pub roles: Vec<String>,
}

/// A bucket of the stack, as a role sees it.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// The S3 bucket's name.
    pub name: String,
    /// The title that the catalog shows.
    pub title: String,
    /// What the bucket is for.
    pub description: String,
    /// Free labels.
    pub tags: Vec<String>,
    /// How high the catalog lists it.
    pub relevance: i32,
    /// Tabulator tables: YAML by name.
    pub tables: BTreeMap<String, String>,
}

/// A package and its history.
#[derive(Clone, Debug)]
pub struct Package {
    /// The bucket that holds it.
    pub bucket: String,
    /// `namespace/name`.
    pub name: String,
    /// Newest first; never empty.
    pub revisions: Vec<Revision>,
}

/// One immutable state of a package.
#[derive(Clone, Debug)]
pub struct Revision {
    /// ISO 8601, UTC.
    pub modified: String,
    /// The author's message.
    pub message: String,
    /// The author's metadata.
    pub metadata: Map<String, Value>,
    /// The id of the workflow that accepted it.
    pub workflow: Option<String>,
    /// The files.
    pub entries: Vec<Entry>,
}

/// One file of a revision.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The path inside the package.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Where the bytes are; in the package's bucket under its name when absent.
    pub physical_key: Option<String>,
    /// SHA-256 of the bytes; made up when absent.
    pub hash: Option<String>,
    /// The whole metadata, the author's in `user_meta`.
    pub meta: Option<Map<String, Value>>,
}

impl Catalog {
    /// The bucket of that name.
    pub fn bucket(&self, name: &str) -> Option<&Bucket> {
        self.buckets.iter().find(|bucket| bucket.name == name)
    }

    /// The package of that name in that bucket.
    pub fn package(&self, bucket: &str, name: &str) -> Option<&Package> {
        self.packages
            .iter()
            .find(|package| package.bucket == bucket && package.name == name)
    }

    /// Adds a revision, to a new package where there is none of that name, and
    /// gives the package.
    pub fn push(&mut self, bucket: &str, name: &str, revision: Revision) -> &Package {
        let is_it = |package: &Package| package.bucket == bucket && package.name == name;
        let at = self.packages.iter().position(is_it).unwrap_or_else(|| {
            self.packages.push(Package {
                bucket: bucket.to_owned(),
                name: name.to_owned(),
                revisions: Vec::new(),
            });
            self.packages.len() - 1
        });
        self.packages[at].revisions.insert(0, revision);
        &self.packages[at]
    }

    /// Removes a revision, and the package with its last one; false when there is none.
    pub fn delete_revision(&mut self, bucket: &str, name: &str, hash: &str) -> bool {
        let is_it = |package: &Package| package.bucket == bucket && package.name == name;
        let Some(at) = self.packages.iter().position(is_it) else {
            return false;
        };
        let package = &self.packages[at];
        let found = package
            .revisions
            .iter()
            .position(|revision| revision.hash(package) == hash);
        let Some(found) = found else {
            return false;
        };
        self.packages[at].revisions.remove(found);
        if self.packages[at].revisions.is_empty() {
            self.packages.remove(at);
        }
        true
    }

    /// The packages of a bucket, by name.
    pub fn packages_in<'a>(&'a self, bucket: &'a str) -> impl Iterator<Item = &'a Package> {
        self.packages
            .iter()
            .filter(move |package| package.bucket == bucket)
    }
}

impl Entry {
    /// Where the bytes are, as a URI.
    pub fn physical_key(&self, package: &Package) -> String {
        let made_up = || format!("s3://{}/{}/{}", package.bucket, package.name, self.path);
        self.physical_key.clone().unwrap_or_else(made_up)
    }

    /// SHA-256 of the bytes, or what stands for it: 64 hexadecimal digits.
    pub fn hash(&self, package: &Package) -> String {
        let of_the_place = || hex::encode(Sha256::digest(self.physical_key(package)));
        self.hash.clone().unwrap_or_else(of_the_place)
    }
}

impl Package {
    /// The newest revision.
    pub fn latest(&self) -> &Revision {
        &self.revisions[0]
    }

    /// The revision with that top hash, or the newest for the tag `latest`.
    pub fn revision(&self, hash_or_tag: &str) -> Option<&Revision> {
        if hash_or_tag == "latest" {
            return Some(self.latest());
        }
        self.revisions
            .iter()
            .find(|revision| revision.hash(self) == hash_or_tag)
    }
}

impl Revision {
    /// A stable stand-in for the manifest's top hash: 64 hexadecimal digits.
    pub fn hash(&self, package: &Package) -> String {
        let mut digest = Sha256::new();
        for part in [
            &package.bucket,
            &package.name,
            &self.modified,
            &self.message,
        ] {
            digest.update(part.as_bytes());
            digest.update([0]);
        }
        for entry in &self.entries {
            digest.update(entry.path.as_bytes());
            digest.update(entry.physical_key(package).as_bytes());
        }
        hex::encode(digest.finalize())
    }

    /// The sum of the files' bytes.
    pub fn total_bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.size).sum()
    }
}
