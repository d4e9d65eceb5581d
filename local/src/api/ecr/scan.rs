//! The scan of an image, as enhanced scanning shows it: basic scanning does not know images from
//! scratch (Amazon ECR user guide, "Scan images for software vulnerabilities").

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{ImageId, image_not_found, repository};
use crate::api::error::{Answer, ApiError};
use crate::api::input::Input;
use crate::api::page::page;
use crate::aws::{Moment, names};
use crate::faults::Vulnerability;
use crate::state::State;
use crate::world::World;

/// DescribeImageScanFindings: what the faults say, and nothing else.
pub(super) fn findings(world: &World, input: &Input) -> Answer {
    let (repository, digest, pushed_at) = world.read(|state| scanned(state, input))?;
    let id = json!({ "imageDigest": digest, "imageTag": input.get("imageId").and_then(|id| id.get("imageTag")) });
    let answer = |status: &str, description: &str| {
        json!({
            "registryId": names::ACCOUNT,
            "repositoryName": repository,
            "imageId": id,
            "imageScanStatus": { "status": status, "description": description },
        })
    };
    let scanned_at = pushed_at.plus(world.faults.slow_scan(&repository));
    if Moment::now() < scanned_at {
        return Ok(answer("PENDING", "The image has not been scanned yet."));
    }
    let vulnerabilities = world.faults.vulnerabilities(&repository);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for vulnerability in &vulnerabilities {
        *counts
            .entry(vulnerability.severity.to_uppercase())
            .or_default() += 1;
    }
    let (vulnerabilities, next) = page(vulnerabilities, input, "maxResults", 1000)?;
    let findings: Vec<Value> = vulnerabilities
        .iter()
        .map(|vulnerability| finding(vulnerability, scanned_at))
        .collect();
    let mut answer = answer("ACTIVE", "Continuous scan is selected for image.");
    answer["imageScanFindings"] = json!({
        "imageScanCompletedAt": scanned_at.to_json(),
        "vulnerabilitySourceUpdatedAt": scanned_at.to_json(),
        "findingSeverityCounts": counts,
        "enhancedFindings": findings,
    });
    answer["nextToken"] = json!(next);
    Ok(answer)
}

/// The repository's name, the digest of the image asked for, and when it was pushed.
fn scanned(state: &State, input: &Input) -> Result<(String, String, Moment), ApiError> {
    let repository = repository(state, input)?;
    let id = ImageId::of(input.get("imageId").unwrap_or(&Value::Null));
    let digest = id
        .resolve(repository)
        .ok_or_else(|| image_not_found(&id, repository))?;
    let manifest = repository
        .manifests
        .get(&digest)
        .filter(|_| repository.scan_on_push)
        .ok_or_else(|| {
            ApiError::new(
                "ScanNotFoundException",
                format!(
                    "Image scan does not exist for the image with '{{imageDigest:'{digest}'}}' in the repository with name '{}' in the registry with id '{}'",
                    repository.name,
                    names::ACCOUNT
                ),
            )
        })?;
    Ok((repository.name.clone(), digest, manifest.pushed_at))
}

fn finding(vulnerability: &Vulnerability, since: Moment) -> Value {
    let package = vulnerability.package.as_ref().map(|package| {
        json!({
            "name": package,
            "version": vulnerability.installed,
            // Inspector's word for "no version mends it".
            "fixedInVersion": vulnerability.fixed_in.as_deref().unwrap_or("NotAvailable"),
        })
    });
    json!({
        "awsAccountId": names::ACCOUNT,
        "title": vulnerability.name,
        "type": "PACKAGE_VULNERABILITY",
        "status": "ACTIVE",
        "severity": vulnerability.severity.to_uppercase(),
        "firstObservedAt": since.to_json(),
        "lastObservedAt": since.to_json(),
        "fixAvailable": if vulnerability.fixed_in.is_some() { "YES" } else { "NO" },
        "packageVulnerabilityDetails": {
            "vulnerabilityId": vulnerability.name,
            "vulnerablePackages": Vec::from_iter(package),
        },
    })
}
