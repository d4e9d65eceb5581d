//! The repository and the images in it.

use crate::verify::{Check, Facts, Image, Missing};

/// What Fargate runs where the task definition names no other platform, and what we build.
const PLATFORM: &str = "linux/amd64";

pub(in crate::verify) fn checks(facts: &Facts) -> Vec<Check> {
    let mut checks = repository(facts);
    checks.push(running(facts));
    checks.extend(checkout(facts));
    checks
}

fn repository(facts: &Facts) -> Vec<Check> {
    let name = "repository";
    let wanted = &facts.environment.repository;
    let repository = match &facts.repository {
        Err(missing) => return vec![Check::unknown(name, missing)],
        Ok(None) => {
            return vec![Check::failed(
                name,
                format!("there is no repository {wanted}"),
                "create it with Terraform or CloudFormation, or correct repository in quilt-mcp.toml",
            )];
        }
        Ok(Some(repository)) => repository,
    };
    let immutability = match repository.tag_immutability.risk() {
        None => Check::ok("tag immutability", "tags stay with their images"),
        Some(risk) => Check::warning("tag immutability", risk.what, risk.remedy),
    };
    let scan = if repository.scan_on_push {
        Check::ok("scan on push", "every pushed image is scanned")
    } else {
        Check::warning(
            "scan on push",
            "the repository does not scan pushes",
            "switch scanOnPush on, unless the registry's own configuration scans (enhanced scanning)",
        )
    };
    vec![
        Check::ok(name, repository.uri.to_string()),
        immutability,
        scan,
    ]
}

fn running(facts: &Facts) -> Check {
    match &facts.running {
        Err(missing) => Check::unknown("running image", missing),
        Ok(image) if !image.present && runs_nothing(facts) => Check::skipped(
            "running image",
            format!(
                "{} is not in the repository; no task is desired, as before the first release",
                image.name
            ),
        ),
        Ok(image) if !image.present => Check::failed(
            "running image",
            format!("{} is not in the repository", image.name),
            "a task that must be replaced cannot be started: publish and roll out an image that is there",
        ),
        Ok(image) => platform("running image", image),
    }
}

fn runs_nothing(facts: &Facts) -> bool {
    matches!(&facts.service, Ok(Some(service)) if service.desired == 0)
}

fn checkout(facts: &Facts) -> Option<Check> {
    let name = "image of this checkout";
    let checkout = facts.checkout.as_ref()?;
    Some(match &checkout.image {
        Err(missing) => Check::unknown(name, missing),
        Ok(None) => Check::skipped(name, format!("{} is not published yet", checkout.tag)),
        Ok(Some(image)) => platform(name, image),
    })
}

fn platform(name: &str, image: &Image) -> Check {
    match &image.platform {
        Ok(platform) if platform == PLATFORM => {
            Check::ok(name, format!("{}, {platform}", image.name))
        }
        Ok(platform) => Check::failed(
            name,
            format!("{} is for {platform}", image.name),
            format!("build it for {PLATFORM}: on Fargate it ends with \"exec format error\""),
        ),
        Err(missing) => Check::unknown(
            name,
            &Missing::Other(format!(
                "{} is there; its platform is not known: {missing}",
                image.name
            )),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::TagImmutability;
    use crate::verify::checks::example::{expect, facts};
    use crate::verify::{CheckOutcome, CheckoutImage};

    #[test]
    fn the_repository() {
        expect(checks, |_| {}, "repository", CheckOutcome::Ok);
        expect(
            checks,
            |facts| facts.repository = Ok(None),
            "repository",
            CheckOutcome::Failed,
        );
        expect(
            checks,
            |facts| facts.repository = Err(Missing::Other("no".into())),
            "repository",
            CheckOutcome::Unknown,
        );
        for (immutability, outcome) in [
            (TagImmutability::Immutable, CheckOutcome::Ok),
            (
                TagImmutability::ImmutableWithExclusions,
                CheckOutcome::Warning,
            ),
            (TagImmutability::Mutable, CheckOutcome::Warning),
        ] {
            expect(
                checks,
                |facts| {
                    let repository = facts.repository.as_mut().unwrap().as_mut().unwrap();
                    repository.tag_immutability = immutability;
                },
                "tag immutability",
                outcome,
            );
        }
        expect(
            checks,
            |facts| {
                facts
                    .repository
                    .as_mut()
                    .unwrap()
                    .as_mut()
                    .unwrap()
                    .scan_on_push = false
            },
            "scan on push",
            CheckOutcome::Warning,
        );
    }

    #[test]
    fn the_images() {
        let with = |platform: Result<String, Missing>, present| {
            move |facts: &mut Facts| {
                facts.running = Ok(Image {
                    name: "server@sha256:1".into(),
                    present,
                    platform: platform.clone(),
                });
            }
        };
        let unknown = || Err(Missing::Other("the registry is away".into()));
        for (platform, present, outcome) in [
            (Ok("linux/amd64".to_owned()), true, CheckOutcome::Ok),
            (Ok("linux/arm64".to_owned()), true, CheckOutcome::Failed),
            (Ok("linux/amd64".to_owned()), false, CheckOutcome::Failed),
            (unknown(), true, CheckOutcome::Unknown),
        ] {
            expect(checks, with(platform, present), "running image", outcome);
        }
        let before_the_first_release = |facts: &mut Facts| {
            with(unknown(), false)(facts);
            facts.service.as_mut().unwrap().as_mut().unwrap().desired = 0;
        };
        expect(
            checks,
            before_the_first_release,
            "running image",
            CheckOutcome::Skipped,
        );
        assert!(
            !checks(&facts())
                .iter()
                .any(|check| check.name == "image of this checkout")
        );
        expect(
            checks,
            |facts| {
                facts.checkout = Some(CheckoutImage {
                    tag: "1.0.0-1234567".into(),
                    image: Ok(None),
                });
            },
            "image of this checkout",
            CheckOutcome::Skipped,
        );
    }
}
