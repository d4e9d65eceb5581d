//! The tags that say what a revision is: the release's record, kept in ECS.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Provenance;

/// Tag keys that we write or read.
pub mod key {
    /// Who wrote a revision: `terraform` for a template, [`OURS`] for a release.
    pub const MANAGED_BY: &str = "ManagedBy";
    /// The value of [`MANAGED_BY`] on a template revision.
    pub const TERRAFORM: &str = "terraform";
    /// The value of [`MANAGED_BY`] on a release revision.
    pub const OURS: &str = "quilt-mcp-deploy";
    /// The commit that the image was built from.
    pub const COMMIT: &str = "quilt-mcp:commit";
    /// The image's tag.
    pub const IMAGE_TAG: &str = "quilt-mcp:image-tag";
    /// The template revision's ARN.
    pub const TEMPLATE: &str = "quilt-mcp:template";
    /// The ARN of the caller who registered the revision.
    pub const CALLER: &str = "quilt-mcp:caller";
    /// Who started the CI run.
    pub const ACTOR: &str = "quilt-mcp:actor";
    /// The CI run's page.
    pub const CI_RUN: &str = "quilt-mcp:ci-run";
    /// When the revision was registered.
    pub const RELEASED_AT: &str = "quilt-mcp:released-at";
    /// The version of this tool.
    pub const TOOL_VERSION: &str = "quilt-mcp:tool-version";
}

/// The most tags that ECS takes on a resource (Amazon ECS Developer Guide, "Tag restrictions").
const MOST_TAGS: usize = 50;
/// The longest value of a tag, in characters.
const LONGEST_VALUE: usize = 256;

/// What a release revision's tags say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct ReleaseTags {
    /// The commit that the image was built from, where known.
    pub commit: Option<String>,
    /// The image's tag, where it has one.
    pub image_tag: Option<String>,
    /// Who released it, and how.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released: Option<Provenance>,
}

impl ReleaseTags {
    /// Reads a revision's tags.
    pub fn read(tags: &BTreeMap<String, String>) -> Self {
        let value = |name: &str| tags.get(name).cloned();
        let released = Provenance {
            caller: value(key::CALLER),
            actor: value(key::ACTOR),
            ci_run: value(key::CI_RUN),
            at: value(key::RELEASED_AT),
            tool_version: value(key::TOOL_VERSION),
        };
        Self {
            commit: value(key::COMMIT),
            image_tag: value(key::IMAGE_TAG),
            released: (released != Provenance::default()).then_some(released),
        }
    }

    /// The same in the characters that ECS takes.
    pub fn written(&self) -> Self {
        let written = |value: &Option<String>| value.as_deref().map(allowed);
        Self {
            commit: written(&self.commit),
            image_tag: written(&self.image_tag),
            released: self.released.as_ref().map(|released| Provenance {
                caller: written(&released.caller),
                actor: written(&released.actor),
                ci_run: written(&released.ci_run),
                at: written(&released.at),
                tool_version: written(&released.tool_version),
            }),
        }
    }

    /// Whether a revision with the tags `recorded` is a record of this release. What this one
    /// does not know is no difference, nor is who released it when.
    pub fn recorded_by(&self, recorded: &Self) -> bool {
        let same = |ours: &Option<String>, theirs: &Option<String>| {
            ours.is_none() || ours.as_deref().map(allowed) == *theirs
        };
        same(&self.commit, &recorded.commit) && same(&self.image_tag, &recorded.image_tag)
    }

    /// The tags of a release revision: the template's and the environment's own, then ours.
    ///
    /// Where ECS's limit leaves no room for all, who and how is left out; what makes the
    /// release is not.
    pub fn merged(
        &self,
        template: &BTreeMap<String, String>,
        environment: &BTreeMap<String, String>,
        template_arn: &str,
    ) -> BTreeMap<String, String> {
        let mut tags = template.clone();
        tags.retain(|name, _| !name.starts_with("quilt-mcp:") && !name.starts_with("aws:"));
        tags.extend(environment.clone());
        tags.insert(key::MANAGED_BY.into(), key::OURS.into());
        tags.insert(key::TEMPLATE.into(), template_arn.into());
        for (name, value) in [
            (key::COMMIT, &self.commit),
            (key::IMAGE_TAG, &self.image_tag),
        ] {
            if let Some(value) = value {
                tags.insert(name.into(), allowed(value));
            }
        }
        for (name, value) in self.released.iter().flat_map(provenance_tags) {
            if tags.len() < MOST_TAGS {
                tags.insert(name.into(), allowed(value));
            }
        }
        tags
    }
}

/// The tags of a provenance, the most telling first.
fn provenance_tags(released: &Provenance) -> Vec<(&'static str, &String)> {
    [
        (key::CALLER, &released.caller),
        (key::ACTOR, &released.actor),
        (key::CI_RUN, &released.ci_run),
        (key::RELEASED_AT, &released.at),
        (key::TOOL_VERSION, &released.tool_version),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value.as_ref()?)))
    .collect()
}

/// The value in the characters that ECS takes: letters, digits, spaces and `+ - = . _ : / @`
/// (Amazon ECS Developer Guide, "Tag restrictions").
fn allowed(value: &str) -> String {
    value
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || " +-=._:/@".contains(c) {
                c
            } else {
                '_'
            }
        })
        .take(LONGEST_VALUE)
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn release() -> ReleaseTags {
        ReleaseTags {
            commit: Some("3f2a9c1".into()),
            image_tag: Some("1.4.0-3f2a9c1".into()),
            released: Some(Provenance {
                caller: Some("arn:aws:sts::1:assumed-role/ci/x".into()),
                actor: Some("dependabot[bot]".into()),
                ci_run: Some("https://ci.acme.example/job/a%20b/5/".into()),
                at: Some("2026-11-23T07:20:01Z".into()),
                tool_version: Some("0.1.0".into()),
            }),
        }
    }

    #[test]
    fn what_is_written_is_read_in_the_characters_that_ecs_takes() {
        let tags = release().merged(&BTreeMap::new(), &BTreeMap::new(), "arn:t");
        let read = ReleaseTags::read(&tags).released.unwrap();
        assert_eq!(read.actor.as_deref(), Some("dependabot_bot_"));
        assert_eq!(
            read.ci_run.as_deref(),
            Some("https://ci.acme.example/job/a_20b/5/")
        );
        assert_eq!(read.caller, release().released.unwrap().caller);
    }

    #[test]
    fn who_and_when_make_no_other_release() {
        let recorded =
            ReleaseTags::read(&release().merged(&BTreeMap::new(), &BTreeMap::new(), "arn:t"));
        let with = |change: fn(&mut ReleaseTags)| {
            let mut other = release();
            change(&mut other);
            other
        };
        for (same, other) in [
            (true, with(|release| release.released = None)),
            (true, with(|release| release.commit = None)),
            (true, with(|release| release.image_tag = None)),
            (false, with(|release| release.commit = Some("other".into()))),
            (false, with(|release| release.image_tag = Some("x".into()))),
        ] {
            assert_eq!(other.recorded_by(&recorded), same, "{other:?}");
        }
        assert!(!release().recorded_by(&ReleaseTags::default()));
    }

    #[test]
    fn nothing_of_another_release_or_of_aws_is_kept() {
        let template = [
            ("aws:cloudformation:stack-name", "s"),
            (key::ACTOR, "somebody"),
            ("CostCentre", "4711"),
        ];
        let template = template.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let tags =
            ReleaseTags::default().merged(&BTreeMap::from(template), &BTreeMap::new(), "arn:t");
        let names: Vec<&str> = tags.keys().map(String::as_str).collect();
        assert_eq!(names, ["CostCentre", key::MANAGED_BY, key::TEMPLATE]);
    }

    proptest! {
        #[test]
        fn ecs_takes_whatever_we_write(
            actor in any::<String>(),
            run in "\\PC{0,400}",
            others in 0_usize..46,
        ) {
            let template: BTreeMap<String, String> =
                (0..others).map(|n| (format!("tag-{n}"), "v".into())).collect();
            let mut release = release();
            let released = release.released.as_mut().unwrap();
            released.actor = Some(actor);
            released.ci_run = Some(run);
            let tags = release.merged(&template, &BTreeMap::new(), "arn:t");
            prop_assert!(tags.len() <= MOST_TAGS);
            for name in [key::MANAGED_BY, key::TEMPLATE, key::COMMIT, key::IMAGE_TAG] {
                prop_assert!(tags.contains_key(name), "{name}");
            }
            for value in tags.values() {
                prop_assert!(value.chars().count() <= LONGEST_VALUE);
                prop_assert!(value.chars().all(|c| c.is_alphanumeric() || " +-=._:/@".contains(c)));
            }
        }
    }
}
