//! The steps of a run, in their order. A new step is one more file and one more value in
//! [`STEPS`].

mod book;
mod clippy;
mod deny;
pub mod docker;
mod fmt;
mod node;
mod rustdoc;
mod terraform;
mod test;
mod tls;
mod tools;
mod workflows;

use super::session::Session;
pub use node::mcp_python;

/// One thing that a run does.
pub struct Step {
    /// What `--only`, `--skip` and the summary call it.
    pub name: &'static str,
    /// What it shows when it passes.
    pub about: &'static str,
    /// Does it; an error is a failure of this step, and the run goes on with the next.
    pub run: fn(&mut Session) -> anyhow::Result<Outcome>,
}

/// How a step that did not fail ended.
pub enum Outcome {
    Passed,
    /// What it needs cannot be had on this machine: the reason.
    Skipped(String),
}

/// Checks of the source first, since they are quick; then what the tests need; then the tests.
pub const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        about: "the source is formatted",
        run: fmt::run,
    },
    Step {
        name: "clippy",
        about: "clippy has nothing to say",
        run: clippy::run,
    },
    Step {
        name: "rustdoc",
        about: "what a docstring refers to is there",
        run: rustdoc::run,
    },
    Step {
        name: "tls",
        about: "each binary links one TLS stack",
        run: tls::run,
    },
    Step {
        name: "deny",
        about: "licences, sources and advisories of the dependencies",
        run: deny::run,
    },
    Step {
        name: "book",
        about: "docs/ is a book",
        run: book::run,
    },
    Step {
        name: "workflows",
        about: "linters of GitHub's files have nothing to say",
        run: workflows::run,
    },
    Step {
        name: "tools",
        about: "a Python environment with moto and the AWS CLI",
        run: tools::run,
    },
    Step {
        name: "node",
        about: "MCP clients and the conformance suite from npm, Python's clients",
        run: node::run,
    },
    Step {
        name: "terraform",
        about: "Terraform with its AWS provider, and checkov",
        run: terraform::run,
    },
    Step {
        name: "docker",
        about: "a Docker engine answers",
        run: docker::run,
    },
    Step {
        name: "test",
        about: "the tests pass",
        run: test::run,
    },
];
