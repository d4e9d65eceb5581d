//! `publish --scan-gate` is shut while it is not known what ECR's scan found.

use std::sync::Arc;

use quilt_mcp_deploy::image::Image;
use serde_json::{Value, json};

use crate::Guarded;
use crate::support::aws_endpoint::Fault;
use crate::support::rehearsal::Ended;

const SCAN: &str = "DescribeImageScanFindings";

fn gate(guarded: &Guarded, image: &Image, severity: &str, timeout: &str) -> Ended {
    let scan = ["--scan-gate", severity, "--scan-timeout", timeout];
    guarded.publish_as("live", image, &scan)
}

fn says(ended: &Ended, signs: &[&str]) {
    for sign in signs {
        assert!(ended.stderr.contains(sign), "{sign}: {}", ended.stderr);
    }
}

fn no_scan() -> Fault {
    Fault::Refuse(400, "ScanNotFoundException", "Image scan does not exist")
}

fn scanned(status: &'static str, severities: &'static [&'static str]) -> Fault {
    Fault::Answer(Arc::new(move || {
        let finding = |severity: &&str| json!({"name": "CVE-1", "severity": severity});
        let findings: Vec<Value> = severities.iter().map(finding).collect();
        json!({
            "imageScanStatus": {"status": status, "description": "as it is"},
            "imageScanFindings": {"findings": findings},
        })
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_has_not_begun_is_waited_for() {
    let guarded = Guarded::start().await;
    let image = guarded.publish("live");
    gate(&guarded, &image, "informational", "20").expect(0);

    // Not yet, not yet, and then findings: they count from the gate's severity on.
    for (severity, code) in [("high", 6), ("critical", 0)] {
        guarded.endpoint.forget();
        guarded
            .endpoint
            .trap(SCAN, 1, scanned("COMPLETE", &["HIGH", "LOW"]));
        let no_status = Fault::Answer(Arc::new(|| json!({})));
        guarded.endpoint.trap(SCAN, 1, no_status);
        guarded.endpoint.trap(SCAN, 1, no_scan());
        let ended = gate(&guarded, &image, severity, "20").expect(code);
        if code != 0 {
            says(
                &ended,
                &[
                    "has 1 finding at or above",
                    "CVE-1 (high)",
                    "mend the packages",
                ],
            );
        }
        assert_eq!(guarded.endpoint.calls_of(SCAN).len(), 3);
    }
    guarded
        .endpoint
        .trap(SCAN, 1, scanned("COMPLETE", &["HIGH", "HIGH"]));
    says(
        &gate(&guarded, &image, "high", "20").expect(6),
        &["has 2 findings"],
    );
    guarded
        .endpoint
        .trap(SCAN, 1, scanned("ACTIVE", &["UNTRIAGED"]));
    let untriaged = gate(&guarded, &image, "critical", "20").expect(6);
    says(&untriaged, &["CVE-1 (untriaged, counted as critical)"]);
}

/// ECR says that a scan is done some seconds before it has the findings
/// (<https://github.com/aws/aws-sdk/issues/289>).
#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_is_done_before_it_has_its_findings_is_waited_for() {
    let guarded = Guarded::start().await;
    let image = guarded.publish("live");
    for status in ["COMPLETE", "ACTIVE"] {
        guarded.endpoint.forget();
        let found = scanned(status, &["CRITICAL"]);
        guarded.endpoint.trap(SCAN, 1, found);
        guarded.endpoint.trap(SCAN, 2, scanned(status, &[]));
        let shut = gate(&guarded, &image, "high", "20").expect(6);
        says(&shut, &["CVE-1 (critical)"]);
        assert_eq!(guarded.endpoint.calls_of(SCAN).len(), 3);
    }
    // It stays so: then there was nothing to find.
    guarded
        .endpoint
        .trap(SCAN, usize::MAX, scanned("ACTIVE", &[]));
    guarded.endpoint.forget();
    gate(&guarded, &image, "informational", "4").expect(0);
    let asked = guarded.endpoint.calls_of(SCAN).len();
    assert!(asked > 1, "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_cannot_judge_is_shut() {
    let guarded = Guarded::start().await;
    let image = guarded.publish("live");
    guarded
        .endpoint
        .trap(SCAN, 1, scanned("UNSUPPORTED_IMAGE", &[]));
    let unsupported = gate(&guarded, &image, "high", "20").expect(6);
    says(
        &unsupported,
        &["UNSUPPORTED_IMAGE", "enhanced scanning", "--scan-gate"],
    );
    guarded
        .endpoint
        .trap(SCAN, 1, scanned("FINDINGS_UNAVAILABLE", &[]));
    says(
        &gate(&guarded, &image, "high", "20").expect(6),
        &["FINDINGS_UNAVAILABLE"],
    );

    guarded.endpoint.trap(SCAN, usize::MAX, no_scan());
    let never = gate(&guarded, &image, "high", "4").expect(6);
    says(
        &never,
        &[
            "did not begin within 4 s",
            "Image scan does not exist",
            "--scan-timeout",
        ],
    );
    // Where the repository does not scan, that is said, and nothing is gated.
    let repository = Fault::rewrite(|answer| {
        answer["repositories"][0]["imageScanningConfiguration"]["scanOnPush"] = json!(false);
    });
    guarded
        .endpoint
        .trap("DescribeRepositories", usize::MAX, repository);
    let warned = gate(&guarded, &image, "high", "4").expect(0);
    says(&warned, &["does not scan", "judged nothing"]);
    // A scan that was seen to go on is one, whatever the repository says.
    guarded.endpoint.trap(SCAN, 1, scanned("PENDING", &[]));
    says(
        &gate(&guarded, &image, "high", "1").expect(6),
        &["did not end within 1 s"],
    );
}

/// What the local environment's faults say is found, through the same commands that an operator has.
#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsed_finding_shuts_the_gate() {
    let guarded = Guarded::start().await;
    let image = guarded.publish("live");
    gate(&guarded, &image, "informational", "60").expect(0);
    let fault = |arguments: &[&str]| {
        let fault = ["local", "fault"];
        guarded
            .rehearsal
            .run(&[&fault[..], arguments].concat())
            .expect(0)
    };
    let vulnerability = ["vulnerability", "CVE-2026-1234", "--severity", "high"];
    let package = ["--package", "openssl", "--installed", "3.0.1"];
    fault(&[&vulnerability[..], &package, &["--fixed-in", "3.0.2"]].concat());
    fault(&["vulnerability", "CVE-2026-1", "--severity", "untriaged"]);
    let shut = gate(&guarded, &image, "high", "60").expect(6);
    says(
        &shut,
        &[
            "has 2 findings at or above",
            "CVE-2026-1 (untriaged, counted as critical), no fix known",
            "CVE-2026-1234 (high) in openssl 3.0.1, fixed in 3.0.2",
        ],
    );

    fault(&["slow-scan", "--seconds", "86400"]);
    let waits = gate(&guarded, &image, "high", "1").expect(6);
    says(&waits, &["did not end within 1 s"]);
    fault(&["clear", "slow-scan"]);
    fault(&["clear", "vulnerability"]);
    gate(&guarded, &image, "informational", "60").expect(0);
}
