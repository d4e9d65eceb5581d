//! Who released, and from which CI run: for the tags of a revision.

use jiff::Timestamp;
use serde::Serialize;
use url::Url;

/// Who released a revision, from where, when, and with what.
///
/// It makes no revision another one: two releases that differ in this alone are one release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Provenance {
    /// The ARN that STS says the credentials belong to.
    pub caller: Option<String>,
    /// Who started the CI run, by the CI's own name of them.
    pub actor: Option<String>,
    /// The CI run's page.
    pub ci_run: Option<String>,
    /// When, as RFC 3339 in UTC.
    pub at: Option<String>,
    /// The version of this tool.
    pub tool_version: Option<String>,
}

/// A CI service, by the variables that it promises to every job.
struct Ci {
    /// Set in its jobs, and in no other's.
    marker: &'static str,
    actor: &'static str,
    /// The run's page; GitHub gives it in parts.
    run: &'static str,
}

/// GitHub Actions "Default environment variables", GitLab "Predefined CI/CD variables", CircleCI
/// "Built-in environment variables", Buildkite "Environment variables", Jenkins "Using
/// environment variables" (its actor comes with the plugin "build user vars").
const KNOWN: [Ci; 5] = [
    Ci {
        marker: "GITHUB_ACTIONS",
        actor: "GITHUB_ACTOR",
        run: "",
    },
    Ci {
        marker: "GITLAB_CI",
        actor: "GITLAB_USER_LOGIN",
        run: "CI_JOB_URL",
    },
    Ci {
        marker: "CIRCLECI",
        actor: "CIRCLE_USERNAME",
        run: "CIRCLE_BUILD_URL",
    },
    Ci {
        marker: "BUILDKITE",
        actor: "BUILDKITE_BUILD_CREATOR",
        run: "BUILDKITE_BUILD_URL",
    },
    Ci {
        marker: "JENKINS_URL",
        actor: "BUILD_USER_ID",
        run: "BUILD_URL",
    },
];

impl Provenance {
    /// What the environment variables, as `read` gives them, say of a release at `now` by `caller_arn`.
    pub fn from_environment(
        read: impl Fn(&str) -> Option<String>,
        caller_arn: Option<&str>,
        now: Timestamp,
    ) -> Self {
        let read = |name: &str| read(name).filter(|value| !value.trim().is_empty());
        let ci = KNOWN
            .iter()
            .find(|ci| read(ci.marker).is_some_and(|value| value != "false"));
        let run = ci.and_then(|ci| match ci.marker {
            "GITHUB_ACTIONS" => github_run(&read),
            _ => read(ci.run),
        });
        Self {
            caller: caller_arn.map(str::to_owned),
            actor: ci.and_then(|ci| read(ci.actor)),
            ci_run: run.and_then(|run| page(&run)),
            at: Some(now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            tool_version: Some(env!("CARGO_PKG_VERSION").into()),
        }
    }

    /// Who it was in a few words: the CI's actor, else the caller's name in its account.
    pub fn who(&self) -> Option<&str> {
        let caller = || {
            self.caller
                .as_deref()
                .map(|arn| arn.splitn(6, ':').last().unwrap_or(arn))
        };
        self.actor.as_deref().or_else(caller)
    }
}

fn github_run(read: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let server = read("GITHUB_SERVER_URL").unwrap_or_else(|| "https://github.com".into());
    let repository = read("GITHUB_REPOSITORY")?;
    let run = read("GITHUB_RUN_ID")?;
    let attempt = read("GITHUB_RUN_ATTEMPT").map(|attempt| format!("/attempts/{attempt}"));
    Some(format!(
        "{server}/{repository}/actions/runs/{run}{}",
        attempt.unwrap_or_default()
    ))
}

/// A page's address without what is nobody's business: user, password, query.
fn page(text: &str) -> Option<String> {
    let mut url = Url::parse(text).ok()?;
    url.host_str()?;
    // Only addresses that cannot have a user refuse this, and they have none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)], caller: Option<&str>) -> Provenance {
        let read = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let now = "2026-11-23T07:20:01.5Z".parse().unwrap();
        Provenance::from_environment(read, caller, now)
    }

    #[test]
    fn every_ci_is_known_by_its_own_variables() {
        let github = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_ACTOR", "octocat"),
            ("GITHUB_REPOSITORY", "acme/mcp"),
            ("GITHUB_RUN_ID", "42"),
            ("GITHUB_RUN_ATTEMPT", "2"),
        ];
        let gitlab = [
            ("GITLAB_CI", "true"),
            ("GITLAB_USER_LOGIN", "ada"),
            ("CI_JOB_URL", "https://gitlab.acme.example/mcp/-/jobs/7"),
        ];
        let circle = [
            ("CIRCLECI", "true"),
            ("CIRCLE_USERNAME", "grace"),
            ("CIRCLE_BUILD_URL", "https://circleci.com/gh/acme/mcp/9"),
        ];
        let buildkite = [
            ("BUILDKITE", "true"),
            ("BUILDKITE_BUILD_CREATOR", "Linus T"),
            (
                "BUILDKITE_BUILD_URL",
                "https://buildkite.com/acme/mcp/builds/3#job",
            ),
        ];
        let jenkins = [
            ("JENKINS_URL", "https://ci.acme.example/"),
            ("BUILD_USER_ID", "barbara"),
            (
                "BUILD_URL",
                "https://user:word@ci.acme.example/job/mcp/5/?auth=1",
            ),
        ];
        for (variables, actor, run) in [
            (
                &github[..],
                "octocat",
                "https://github.com/acme/mcp/actions/runs/42/attempts/2",
            ),
            (&gitlab, "ada", "https://gitlab.acme.example/mcp/-/jobs/7"),
            (&circle, "grace", "https://circleci.com/gh/acme/mcp/9"),
            (
                &buildkite,
                "Linus T",
                "https://buildkite.com/acme/mcp/builds/3",
            ),
            (&jenkins, "barbara", "https://ci.acme.example/job/mcp/5/"),
        ] {
            let found = of(variables, Some("arn:aws:sts::1:assumed-role/ci/x"));
            assert_eq!(found.actor.as_deref(), Some(actor));
            assert_eq!(found.ci_run.as_deref(), Some(run));
            assert_eq!(found.who(), Some(actor));
            assert_eq!(found.at.as_deref(), Some("2026-11-23T07:20:01Z"));
        }
    }

    #[test]
    fn without_ci_it_is_the_caller() {
        let arn = "arn:aws:sts::123456789012:assumed-role/deployer/ada";
        // A workstation may have some of the variables.
        let found = of(
            &[("GITHUB_ACTOR", "octocat"), ("BUILD_URL", "x")],
            Some(arn),
        );
        assert_eq!((&found.actor, &found.ci_run), (&None, &None));
        assert_eq!(found.who(), Some("assumed-role/deployer/ada"));
        assert_eq!(of(&[], None).who(), None);
    }
}
