//! Pushes to Debian's docker-registry through a wire and a proxy that make trouble: each ends
//! complete or in a clear error, and no tag ever names an incomplete image.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quilt_mcp_deploy::image::{Image, RepositoryName, Tag};
use quilt_mcp_deploy::registry::{
    Access, Credentials, Published, PushError, Renewal, RetryPolicy, publish_image,
};
use support::docker_registry::{DockerRegistry, PASSWORD, Setup, USER};
use support::images::{self, noise};
use support::proxy::{TROUBLES, Trouble, Troublesome};
use support::rehearsal::Rehearsal;

const PLAIN: Setup = Setup {
    password: false,
    tls: false,
};
/// Registries that we push to through trouble.
const PUSHES: u64 = 100;

fn access(host: &str, path: &str) -> Access {
    let repository: RepositoryName = format!("{host}/{path}").parse().unwrap();
    Access {
        retry: RetryPolicy {
            attempts: 6,
            first_wait: Duration::from_millis(1),
            longest_wait: Duration::from_millis(5),
        },
        renewal: Some(Renewal::new(|| async {
            Ok(Credentials::new(USER, PASSWORD, None))
        })),
        ..Access::new(repository, Some(Credentials::new(USER, PASSWORD, None)))
    }
}

async fn push(access: &Access, image: &Image, tag: &Tag) -> Result<Published, PushError> {
    publish_image(access, image, tag, Arc::new(|_| ())).await
}

/// A number that looks random and is the same every time (Vigna's splitmix64).
fn mixed(seed: u64, number: u64) -> u64 {
    let mut mixed = seed
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(number);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Whether an error is one of the clear ones, and what it says of the tag is so.
fn is_true(error: &PushError, tagged: Option<bool>, lied_to: bool) -> bool {
    let nothing = error.to_string().contains("nothing was tagged");
    match error {
        PushError::GaveUp { .. } => nothing && tagged.is_none(),
        PushError::TagUnknown { .. } | PushError::Unauthorised { .. } => !nothing,
        // Somebody on the way named another digest.
        PushError::DigestMismatch { .. } | PushError::TagTaken { .. } => !nothing && lied_to,
        _ => false,
    }
}

#[derive(Default)]
struct Row {
    pushes: usize,
    complete: usize,
    refused: usize,
}

#[tokio::test]
async fn a_hundred_pushes_through_trouble_end_complete_or_in_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let Some(registry) = DockerRegistry::start(folder.path(), PLAIN).await else {
        return;
    };
    let tag: Tag = "1.4.0-3f2a9c1".parse().unwrap();
    let mut table: BTreeMap<Trouble, Row> = BTreeMap::new();
    for seed in 0..PUSHES {
        // From seldom to nearly always.
        let share = 1 + seed % 4;
        let plan = move |number: usize| {
            let mixed = mixed(seed, number as u64);
            let meets = mixed % 8 < share;
            meets.then(|| TROUBLES[(mixed >> 8) as usize % TROUBLES.len()])
        };
        let proxy = Troublesome::start(&registry.host, Arc::new(plan)).await;
        let path = format!("team/push-{seed}");
        let image = images::image(&folder.path().join("images"), &noise(400_000, seed));
        let result = push(&access(&proxy.host, &path), &image, &tag).await;
        let state = registry.is_complete(&path, tag.as_str());
        assert_ne!(
            state,
            Some(false),
            "seed {seed}: the tag names an incomplete image"
        );
        match &result {
            Ok(published) => {
                assert_eq!(published.digest, image.digest, "seed {seed}");
                assert_eq!(state, Some(true), "seed {seed}");
            }
            Err(error) => {
                let lied_to = proxy.met().contains(&Trouble::WrongDigest);
                assert!(
                    is_true(error, state, lied_to),
                    "seed {seed}: {state:?}: {error}"
                );
                assert!(!error.to_string().contains(PASSWORD), "{error}");
            }
        }
        let mut met = proxy.met();
        met.sort();
        met.dedup();
        for trouble in met {
            let row = table.entry(trouble).or_default();
            row.pushes += 1;
            row.complete += usize::from(result.is_ok());
            row.refused += usize::from(result.is_err());
        }
    }
    println!(
        "{:14} {:>6} {:>9} {:>8}",
        "trouble", "pushes", "complete", "errors"
    );
    for (trouble, row) in &table {
        println!(
            "{:14} {:>6} {:>9} {:>8}",
            format!("{trouble:?}"),
            row.pushes,
            row.complete,
            row.refused
        );
    }
    assert_eq!(table.len(), TROUBLES.len(), "every trouble was met");
    let complete: usize = table.values().map(|row| row.complete).sum();
    let errors: usize = table.values().map(|row| row.refused).sum();
    assert!(complete > 0 && errors > 0);
}

/// With the local environment's registry: docker-registry gives up an upload whose connection
/// broke in the middle of a request, so there a push begins the blob anew.
#[test]
fn a_broken_upload_goes_on_where_it_broke() {
    let rehearsal = Rehearsal::new();
    rehearsal.run(&["local", "up"]).expect(0);
    let host = rehearsal.description()["registry"]
        .as_str()
        .unwrap()
        .to_owned();
    let credentials = Credentials::new("AWS", rehearsal.registry_password(), None);
    let folder = tempfile::tempdir().unwrap();
    let image = images::image(folder.path(), &noise(3_000_000, 5));
    let whole: u64 = image.blobs().iter().map(|blob| blob.size).sum();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        // One connection is cut after 2 MB of what the client sends; those after it stay whole.
        let cuts = Arc::new(AtomicUsize::new(0));
        let wire = support::wire::cut_once(&host, 2_000_000, cuts.clone()).await;
        let access = Access {
            credentials: Some(credentials),
            ..access(&wire.host, "quilt-local-mcp-server")
        };
        let published = push(&access, &image, &"t".parse().unwrap()).await.unwrap();
        assert!(published.pushed);
        assert_eq!(published.digest, image.digest);
        assert_eq!(cuts.load(Ordering::Relaxed), 1, "the wire was cut");
        let sent = wire.sent.load(Ordering::Relaxed) as u64;
        // Beginning anew would have sent the first 2 MB twice.
        assert!(sent < whole + 1_000_000, "{sent} bytes for {whole}");
    });
}

#[tokio::test]
async fn tokens_are_bought_and_renewed_midway() {
    let folder = tempfile::tempdir().unwrap();
    let Some(registry) = DockerRegistry::start(folder.path(), PLAIN).await else {
        return;
    };
    let image = images::image(&folder.path().join("images"), &noise(300_000, 9));
    // Every fifth request finds its token ended, in turns as Distribution and as ECR say it.
    let ends = |number: usize| match number % 10 {
        4 => Some(Trouble::Expired),
        9 => Some(Trouble::Denied),
        _ => None,
    };
    let price = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let proxy = Troublesome::with_tokens(&registry.host, Arc::new(ends), &price).await;
    let published = push(&access(&proxy.host, "a"), &image, &"t".parse().unwrap())
        .await
        .unwrap();
    assert!(published.pushed);
    assert_eq!(registry.is_complete("a", "t"), Some(true));
    assert!(proxy.tokens_sold() > 2, "{}", proxy.tokens_sold());
    for trouble in [Trouble::Expired, Trouble::Denied] {
        assert!(proxy.met().contains(&trouble), "{trouble:?}");
    }

    let poor = Access {
        renewal: None,
        ..Access::new(
            format!("{}/a", proxy.host).parse().unwrap(),
            Some(Credentials::new("AWS", "wrong", None)),
        )
    };
    let error = push(&poor, &image, &"u".parse().unwrap())
        .await
        .unwrap_err();
    assert!(matches!(error, PushError::Unauthorised { .. }), "{error}");
}

#[tokio::test]
async fn a_password_that_ended_is_asked_for_anew() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup {
        password: true,
        tls: false,
    };
    let Some(registry) = DockerRegistry::start(folder.path(), setup).await else {
        return;
    };
    let image = images::image(&folder.path().join("images"), b"x");
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let renewing = Access {
        renewal: Some(Renewal::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            async { Ok(Credentials::new(USER, PASSWORD, None)) }
        })),
        ..Access::new(
            registry.repository("a"),
            Some(Credentials::new("AWS", "0ld", None)),
        )
    };
    push(&renewing, &image, &"t".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 1);

    let without = Access {
        renewal: Some(Renewal::new(|| async {
            Err("ecr:GetAuthorizationToken failed: ExpiredToken".to_owned())
        })),
        ..renewing
    };
    let error = push(&without, &image, &"u".parse().unwrap())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("ExpiredToken"), "{error}");
}

#[tokio::test]
async fn tls_and_a_password_are_no_obstacle() {
    for (password, tls) in [(false, true), (true, true), (true, false)] {
        let folder = tempfile::tempdir().unwrap();
        let setup = Setup { password, tls };
        let Some(registry) = DockerRegistry::start(folder.path(), setup).await else {
            return;
        };
        let image = images::image(&folder.path().join("images"), &noise(200_000, 1));
        let tag: Tag = "t".parse().unwrap();
        let published = push(&access(&registry.host, "a/b"), &image, &tag)
            .await
            .unwrap();
        assert!(published.pushed, "{setup:?}");
        assert_eq!(registry.is_complete("a/b", "t"), Some(true), "{setup:?}");
        let again = push(&access(&registry.host, "a/b"), &image, &tag)
            .await
            .unwrap();
        assert!(!again.pushed, "{setup:?}");
    }
}
