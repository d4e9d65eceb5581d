//! What ECR's scan found in an image (Amazon ECR user guide, "Scan images for software
//! vulnerabilities"), in one form for basic and enhanced scanning.

use std::fmt;
use std::time::Duration;

use aws_sdk_ecr::types::{
    Attribute, EnhancedImageScanFinding, ImageIdentifier, ImageScanFinding, ScanStatus,
};
use clap::ValueEnum;
use serde::Serialize;

use super::Ecr;
use crate::aws::AwsError;
use crate::image::Digest;

const ACTION: &str = "ecr:DescribeImageScanFindings";
const PAUSE: Duration = Duration::from_secs(5);

/// How bad a finding is, in ECR's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing to do, or not rated.
    Informational,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

impl Severity {
    /// A severity that we do not know counts as the worst: nobody has looked at it yet.
    fn read(text: &str) -> Self {
        match text {
            "INFORMATIONAL" | "UNDEFINED" | "UNTRIAGED" => Self::Informational,
            "LOW" => Self::Low,
            "MEDIUM" => Self::Medium,
            "HIGH" => Self::High,
            _ => Self::Critical,
        }
    }
}

/// A vulnerability of one package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its name, such as `CVE-2026-1234`.
    pub name: String,
    /// How bad it is.
    pub severity: Severity,
    /// The package.
    pub package: Option<String>,
    /// The package's version in the image.
    pub version: Option<String>,
    /// The version that mends it.
    pub fixed_in: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = format!("{:?}", self.severity).to_lowercase();
        write!(f, "{} ({severity})", self.name)?;
        if let Some(package) = &self.package {
            let version = self.version.as_deref().unwrap_or("of unknown version");
            write!(f, " in {package} {version}")?;
        }
        match &self.fixed_in {
            Some(version) => write!(f, ", fixed in {version}"),
            None => f.write_str(", no fix known"),
        }
    }
}

/// What is known of an image's vulnerabilities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scan {
    /// The repository does not scan, or not this image: ECR's own words.
    NotScanned(String),
    /// The findings, worst first.
    Findings(Vec<Finding>),
}

/// Why it is not known what the scan found.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// ECR did not answer or refused.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The scan failed or did not end.
    #[error("ECR's scan of {digest} in repository {repository} {what}")]
    NoResult {
        /// The repository.
        repository: String,
        /// The image.
        digest: Digest,
        /// What became of it.
        what: String,
    },
}

/// One answer of ECR's.
enum Answer {
    Waiting,
    Done(Scan),
    Failed(String),
}

impl Ecr {
    /// Waits for the scan of an image, for `patience` at most, and gives what it found.
    ///
    /// # Errors
    /// [`ScanError`] when ECR does not answer, and when the scan fails or does not end.
    pub async fn scan(
        &self,
        repository: &str,
        digest: &Digest,
        patience: Duration,
    ) -> Result<Scan, ScanError> {
        let no_result = |what: String| ScanError::NoResult {
            repository: repository.to_owned(),
            digest: digest.clone(),
            what,
        };
        let asked = async {
            loop {
                match self.ask_for_findings(repository, digest).await? {
                    Answer::Done(scan) => return Ok(scan),
                    Answer::Failed(why) => return Err(no_result(format!("failed: {why}"))),
                    Answer::Waiting => tokio::time::sleep(PAUSE.min(patience / 10)).await,
                }
            }
        };
        match tokio::time::timeout(patience, asked).await {
            Ok(result) => result,
            Err(_) => Err(no_result(format!(
                "did not end within {} s",
                patience.as_secs()
            ))),
        }
    }

    async fn ask_for_findings(
        &self,
        repository: &str,
        digest: &Digest,
    ) -> Result<Answer, AwsError> {
        let id = ImageIdentifier::builder()
            .image_digest(digest.as_str())
            .build();
        let mut pages = self
            .client()
            .describe_image_scan_findings()
            .repository_name(repository)
            .image_id(id)
            .into_paginator()
            .send();
        let mut findings = Vec::new();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(|error| error.is_scan_not_found_exception()) =>
                {
                    let why = error
                        .as_service_error()
                        .and_then(|error| error.meta().message());
                    let why = why.unwrap_or("there is no scan of this image");
                    return Ok(Answer::Done(Scan::NotScanned(why.to_owned())));
                }
                Err(error) => {
                    let resource = format!("repository {repository}");
                    return Err(AwsError::new(ACTION, resource, &error));
                }
            };
            if let Some(answer) = unfinished(page.image_scan_status()) {
                return Ok(answer);
            }
            let Some(found) = page.image_scan_findings() else {
                continue;
            };
            findings.extend(found.findings().iter().map(Finding::basic));
            findings.extend(found.enhanced_findings().iter().flat_map(Finding::enhanced));
        }
        findings.sort_by(|a: &Finding, b| b.severity.cmp(&a.severity).then(a.name.cmp(&b.name)));
        Ok(Answer::Done(Scan::Findings(findings)))
    }
}

/// What a status other than "done" means.
fn unfinished(status: Option<&aws_sdk_ecr::types::ImageScanStatus>) -> Option<Answer> {
    let description = || {
        let text = status.and_then(|status| status.description());
        text.unwrap_or("ECR gives no reason").to_owned()
    };
    match status.and_then(|status| status.status())? {
        ScanStatus::Complete | ScanStatus::Active => None,
        ScanStatus::Failed | ScanStatus::LimitExceeded => Some(Answer::Failed(description())),
        ScanStatus::UnsupportedImage
        | ScanStatus::FindingsUnavailable
        | ScanStatus::ScanEligibilityExpired
        | ScanStatus::ImageArchived => Some(Answer::Done(Scan::NotScanned(description()))),
        // A status that we do not know is no result.
        _ => Some(Answer::Waiting),
    }
}

impl Finding {
    fn basic(finding: &ImageScanFinding) -> Self {
        let attribute = |key: &str| {
            let attributes = finding.attributes().iter();
            attributes
                .filter(|attribute| attribute.key() == key)
                .find_map(Attribute::value)
                .map(str::to_owned)
        };
        let severity = finding.severity().map_or("", |severity| severity.as_str());
        Self {
            name: finding.name().unwrap_or("unnamed").to_owned(),
            severity: Severity::read(severity),
            package: attribute("package_name"),
            version: attribute("package_version"),
            fixed_in: attribute("patched_version"),
        }
    }

    /// One finding for each package that it is in.
    fn enhanced(finding: &EnhancedImageScanFinding) -> Vec<Self> {
        let details = finding.package_vulnerability_details();
        let name = details
            .and_then(|details| details.vulnerability_id())
            .or(finding.title())
            .unwrap_or("unnamed");
        let bare = Self {
            name: name.to_owned(),
            severity: Severity::read(finding.severity().unwrap_or_default()),
            package: None,
            version: None,
            fixed_in: None,
        };
        let packages = details.map_or(&[][..], |details| details.vulnerable_packages());
        if packages.is_empty() {
            return vec![bare];
        }
        let of_package = |package: &aws_sdk_ecr::types::VulnerablePackage| Self {
            package: package.name().map(str::to_owned),
            version: package.version().map(str::to_owned),
            fixed_in: package
                .fixed_in_version()
                // Inspector's word for "no version mends it".
                .filter(|version| *version != "NotAvailable")
                .map(str::to_owned),
            ..bare.clone()
        };
        packages.iter().map(of_package).collect()
    }
}
