//! Step `tls`: two TLS stacks in one binary are two sets of roots, of versions and of flaws to
//! watch, and AWS's SDK brings a second one with its default features.

use std::collections::BTreeSet;

use anyhow::bail;

use super::Outcome;
use crate::command;
use crate::test::session::Session;

/// The packages whose binaries are released.
const BINARIES: &[&str] = &["quilt-mcp-deploy", "quilt-mcp-server"];
/// The one TLS implementation, and the one provider of its cryptography.
const STACK: &[&str] = &["rustls", "aws-lc-rs"];
/// Other TLS implementations, other providers, and what binds to them.
const OTHERS: &[&str] = &[
    "boring",
    "boring-sys",
    "graviola",
    "hyper-tls",
    "mbedtls",
    "native-tls",
    "openssl",
    "openssl-sys",
    "ring",
    "rustls-graviola",
    "rustls-openssl",
    "rustls-rustcrypto",
    "s2n-tls",
    "s2n-tls-sys",
    "schannel",
    "tokio-native-tls",
];

pub fn run(session: &mut Session) -> anyhow::Result<Outcome> {
    let mut problems = Vec::new();
    for package in BINARIES {
        let mut cargo = command::cargo();
        cargo
            .current_dir(&session.workspace)
            .args(["tree", "--locked", "--package", package])
            .args(["--edges", "normal,build", "--prefix", "none"]);
        let packages = packages(&command::capture(&mut cargo)?);
        let found = faults(&packages);
        if found.is_empty() {
            println!("{package}: {}", stack(&packages));
        }
        problems.extend(found.into_iter().map(|fault| format!("{package} {fault}")));
    }
    if !problems.is_empty() {
        bail!("{}", problems.join("; "));
    }
    Ok(Outcome::Passed)
}

type Packages = BTreeSet<(String, String)>;

/// Name and version of each package in the output of `cargo tree --prefix none`, whose lines are
/// `name vVERSION`, then perhaps a folder, `(proc-macro)` or the `(*)` of a repetition.
fn packages(tree: &str) -> Packages {
    tree.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next()?;
            let version = words.next()?.strip_prefix('v')?;
            Some((name.to_owned(), version.to_owned()))
        })
        .collect()
}

fn versions<'a>(packages: &'a Packages, wanted: &str) -> Vec<&'a str> {
    packages
        .iter()
        .filter(|(name, _)| name == wanted)
        .map(|(_, version)| version.as_str())
        .collect()
}

fn stack(packages: &Packages) -> String {
    STACK
        .iter()
        .map(|name| format!("{name} {}", versions(packages, name).join(", ")))
        .collect::<Vec<_>>()
        .join(" with ")
}

fn faults(packages: &Packages) -> Vec<String> {
    let stack = STACK.iter().filter_map(|name| {
        let versions = versions(packages, name);
        match versions.len() {
            0 => Some(format!("does not link {name}")),
            1 => None,
            _ => Some(format!("links {name} twice: {}", versions.join(", "))),
        }
    });
    let others = OTHERS
        .iter()
        .filter(|name| !versions(packages, name).is_empty())
        .map(|name| {
            format!("links {name} as well (`cargo tree --invert {name}` shows who asks for it)")
        });
    stack.chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE_STACK: &str = "\
quilt-mcp-server v0.1.0 (/src/a folder/server)
axum v0.8.9
async-trait v0.1.89 (proc-macro)
aws-lc-rs v1.19.0
aws-lc-sys v0.47.0
openssl-probe v0.2.2
rustls v0.23.46
rustls v0.23.46 (*)
rustls-native-certs v0.8.5 (*)

[dev-dependencies]
";

    #[test]
    fn packages_are_read_once_each() {
        let packages = packages(ONE_STACK);
        assert_eq!(packages.len(), 8);
        assert!(packages.contains(&("rustls".to_owned(), "0.23.46".to_owned())));
        assert_eq!(versions(&packages, "rustls"), ["0.23.46"]);
        assert_eq!(stack(&packages), "rustls 0.23.46 with aws-lc-rs 1.19.0");
    }

    #[test]
    fn one_stack_is_no_fault_and_every_other_graph_is() {
        let cases = [
            (ONE_STACK.to_owned(), vec![]),
            (
                String::new(),
                vec!["does not link rustls", "does not link aws-lc-rs"],
            ),
            (
                format!("{ONE_STACK}rustls v0.21.12\n"),
                vec!["links rustls twice: 0.21.12, 0.23.46"],
            ),
            (
                format!("{ONE_STACK}ring v0.17.14\n"),
                vec!["links ring as well"],
            ),
            (
                format!("{ONE_STACK}native-tls v0.2.14\nopenssl v0.10.70 (*)\n"),
                vec!["links native-tls as well", "links openssl as well"],
            ),
            (
                ONE_STACK.replace("aws-lc-rs v1.19.0\n", "ring v0.17.14\n"),
                vec!["does not link aws-lc-rs", "links ring as well"],
            ),
        ];
        for (tree, expected) in cases {
            let faults = faults(&packages(&tree));
            assert_eq!(faults.len(), expected.len(), "{faults:?}");
            for (fault, start) in faults.iter().zip(expected) {
                assert!(fault.starts_with(start), "{fault}");
            }
        }
    }
}
