//! What ECR's scan found in an image (Amazon ECR user guide, "Scan images for software
//! vulnerabilities"), in one form for basic and enhanced scanning.

use std::fmt;
use std::time::{Duration, Instant};

use aws_sdk_ecr::types::{
    Attribute, EnhancedImageScanFinding, ImageIdentifier, ImageScanFinding, ScanStatus,
};
use clap::ValueEnum;
use serde::Serialize;

use super::{Ecr, Repository};
use crate::aws::AwsError;
use crate::image::Digest;

const ACTION: &str = "ecr:DescribeImageScanFindings";
const PAUSE: Duration = Duration::from_secs(5);
/// How long a scan is looked for in a repository that does not scan by itself: the registry's own
/// configuration (enhanced scanning) may have it scanned, which no permission of ours shows.
const LOOKED_FOR: Duration = Duration::from_secs(60);
/// How long an answer must stay that a scan is done, but has neither a finding nor a time: ECR says
/// so seconds before it has the findings (<https://github.com/aws/aws-sdk/issues/289>).
const SETTLED: Duration = Duration::from_secs(60);

/// How bad a finding is, in ECR's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing to do.
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
    /// What nobody has rated yet (`UNTRIAGED`, `UNDEFINED`) counts as the worst, and so does a
    /// word that we do not know.
    fn read(text: &str) -> Self {
        match text {
            "INFORMATIONAL" => Self::Informational,
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
    /// How bad ECR says it is, where that is none of our severities.
    pub rated: Option<String>,
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
        match &self.rated {
            None => write!(f, "{} ({severity})", self.name)?,
            Some(word) => write!(f, "{} ({word}, counted as {severity})", self.name)?,
        }
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
    /// The repository does not scan: ECR's own words.
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
    /// The scan did not begin, failed, did not end, or cannot judge the image.
    #[error("ECR's scan of {digest} in repository {repository} {what}")]
    NoResult {
        /// The repository.
        repository: String,
        /// The image.
        digest: Digest,
        /// What became of it.
        what: String,
        /// What to do about it.
        remedy: &'static str,
    },
}

const WAIT_LONGER: &str =
    "run the same command again with a longer --scan-timeout, or without --scan-gate";
const NOT_INCLUDED: &str = "run the same command again with a longer --scan-timeout; if no scan begins, see whether the registry's scanning configuration includes this repository, or leave --scan-gate out";
const UNSUPPORTED: &str = "ECR's basic scanning does not know images from scratch, as ours are: have the registry use enhanced scanning, or leave --scan-gate out";
const SCAN_ANEW: &str = "have ECR scan the image anew (`aws ecr start-image-scan`, where the registry uses basic scanning) and run the same command again, or leave --scan-gate out";

/// One answer of ECR's.
enum Answer {
    /// There is no scan, in ECR's words; perhaps not yet.
    Absent(String),
    /// It goes on.
    Waiting,
    /// It is said to be done, but not what it found, nor when it was made.
    Silent,
    Done(Vec<Finding>),
    /// It will give no findings: what became of it, and what to do.
    Nothing(String, &'static str),
}

/// What was last seen of a scan that is waited for.
enum Seen {
    Nothing,
    Absent(String),
    Scanning,
}

impl Ecr {
    /// Waits for the scan of an image, for `patience` at most, and gives what it found.
    ///
    /// Directly after a push there may be no scan yet. In a repository that scans, it is waited
    /// for; in one that does not scan by itself, it is looked for during a minute. That nothing was
    /// found is believed where ECR says when it looked, or says nothing else for a minute.
    ///
    /// # Errors
    /// [`ScanError`] when ECR does not answer, and when the scan does not begin, fails, does not
    /// end or cannot judge the image.
    pub async fn scan(
        &self,
        repository: &Repository,
        digest: &Digest,
        patience: Duration,
    ) -> Result<Scan, ScanError> {
        let mut seen = Seen::Nothing;
        let asked = self.wait_for_scan(repository, digest, patience, &mut seen);
        if let Ok(result) = tokio::time::timeout(patience, asked).await {
            return result;
        }
        let seconds = patience.as_secs();
        match seen {
            Seen::Absent(why) if !repository.scan_on_push => Ok(Scan::NotScanned(why)),
            Seen::Absent(why) => {
                let what = format!("did not begin within {seconds} s: {why}");
                Err(no_result(repository, digest, what, NOT_INCLUDED))
            }
            Seen::Nothing | Seen::Scanning => {
                let what = format!("did not end within {seconds} s");
                Err(no_result(repository, digest, what, WAIT_LONGER))
            }
        }
    }

    async fn wait_for_scan(
        &self,
        repository: &Repository,
        digest: &Digest,
        patience: Duration,
        seen: &mut Seen,
    ) -> Result<Scan, ScanError> {
        let (pause, settled) = (PAUSE.min(patience / 10), SETTLED.min(patience / 2));
        let began = Instant::now();
        let mut silent_since = None;
        loop {
            let answer = self.ask_for_findings(&repository.name, digest).await?;
            if !matches!(answer, Answer::Silent) {
                silent_since = None;
            }
            match answer {
                Answer::Done(findings) => return Ok(Scan::Findings(findings)),
                Answer::Nothing(what, remedy) => {
                    return Err(no_result(repository, digest, what, remedy));
                }
                Answer::Waiting => *seen = Seen::Scanning,
                Answer::Silent => {
                    *seen = Seen::Scanning;
                    let since = *silent_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= settled {
                        return Ok(Scan::Findings(Vec::new()));
                    }
                }
                Answer::Absent(_) if matches!(seen, Seen::Scanning) => {}
                Answer::Absent(why) => {
                    if !repository.scan_on_push && began.elapsed() >= LOOKED_FOR {
                        return Ok(Scan::NotScanned(why));
                    }
                    *seen = Seen::Absent(why);
                }
            }
            tokio::time::sleep(pause).await;
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
        let (mut findings, mut scanned) = (Vec::new(), false);
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
                    return Ok(Answer::Absent(why.to_owned()));
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
            scanned |= found.image_scan_completed_at().is_some();
            findings.extend(found.findings().iter().map(Finding::basic));
            findings.extend(found.enhanced_findings().iter().flat_map(Finding::enhanced));
        }
        if findings.is_empty() && !scanned {
            return Ok(Answer::Silent);
        }
        findings.sort_by(|a: &Finding, b| b.severity.cmp(&a.severity).then(a.name.cmp(&b.name)));
        Ok(Answer::Done(findings))
    }
}

fn no_result(
    repository: &Repository,
    digest: &Digest,
    what: String,
    remedy: &'static str,
) -> ScanError {
    ScanError::NoResult {
        repository: repository.name.clone(),
        digest: digest.clone(),
        what,
        remedy,
    }
}

/// What a status other than "done" means; no status is no result.
fn unfinished(status: Option<&aws_sdk_ecr::types::ImageScanStatus>) -> Option<Answer> {
    let Some(word) = status.and_then(|status| status.status()) else {
        return Some(Answer::Waiting);
    };
    let description = status.and_then(|status| status.description());
    let description = description.unwrap_or("ECR gives no reason");
    match word {
        ScanStatus::Complete | ScanStatus::Active => None,
        ScanStatus::Failed | ScanStatus::LimitExceeded => Some(Answer::Nothing(
            format!("failed: {description}"),
            "run the same command again, or leave --scan-gate out",
        )),
        ScanStatus::UnsupportedImage => Some(Answer::Nothing(
            format!("cannot judge it ({word}): {description}"),
            UNSUPPORTED,
        )),
        ScanStatus::FindingsUnavailable
        | ScanStatus::ScanEligibilityExpired
        | ScanStatus::ImageArchived => Some(Answer::Nothing(
            format!("has no findings to judge by ({word}): {description}"),
            SCAN_ANEW,
        )),
        // It goes on, or has a status that we do not know, which is no result.
        _ => Some(Answer::Waiting),
    }
}

/// ECR's word for a severity, where it is none of ours.
fn unrated(word: &str) -> Option<String> {
    let known = ["INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"];
    let said = if word.is_empty() { "not rated" } else { word };
    (!known.contains(&word)).then(|| said.to_lowercase())
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
            rated: unrated(severity),
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
        let severity = finding.severity().unwrap_or_default();
        let bare = Self {
            name: name.to_owned(),
            severity: Severity::read(severity),
            rated: unrated(severity),
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
