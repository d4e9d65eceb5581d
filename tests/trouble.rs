//! Rollouts through trouble: a share of the calls throttled, failing, cut off and slow, by seed.
//! Good, broken and superseded releases must all end in the true verdict.
//!
//! `cargo xtask trouble --seeds 100` runs a hundred of them and prints the table.

mod support;

use std::collections::BTreeMap;
use std::time::Instant;

use quilt_mcp_deploy::image::Image;
use serde_json::Value;
use support::rehearsal::Rehearsal;

/// How many rollouts; a few where nobody asks for more.
const SEEDS: &str = "QUILT_MCP_TROUBLE_SEEDS";
/// The first seed: one that went wrong is played again by itself.
const FIRST_SEED: &str = "QUILT_MCP_TROUBLE_FIRST_SEED";
/// How often an operator would run the same command again after a refusal or an unknown end.
const RUNS_AT_MOST: usize = 4;
/// Exit codes after which the documents say to run the same command again.
const RUN_AGAIN: [i32; 3] = [4, 10, 13];

const THROTTLED: &str = "0.3";
const FAILING: &str = "0.1";
const CUT_OFF: &str = "0.05";

/// What is to become of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Good,
    Broken,
    Superseded,
}

impl Fate {
    fn of(seed: u64) -> Self {
        match seed % 3 {
            0 => Self::Good,
            1 => Self::Broken,
            _ => Self::Superseded,
        }
    }

    /// The exit code that tells the truth.
    fn exit(self) -> i32 {
        match self {
            Self::Good => 0,
            Self::Broken => 8,
            Self::Superseded => 9,
        }
    }
}

/// How one rollout went.
struct Ride {
    fate: Fate,
    codes: Vec<i32>,
    seconds: f64,
    calls: u64,
    faulted: u64,
}

#[test]
fn every_rollout_ends_in_the_true_verdict() {
    let number = |name, usual| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let (first, seeds) = (number(FIRST_SEED, 0), number(SEEDS, 3));
    let rehearsal = Rehearsal::new();
    let images = [
        rehearsal.server(&"1".repeat(40)),
        rehearsal.server(&"2".repeat(40)),
    ];
    for image in &images {
        rehearsal.deploy(image, &[]).expect(0);
    }
    println!("seed  fate        exit codes  seconds  calls  faulted");
    let mut rides = Vec::new();
    for seed in first..first + seeds {
        let ride = ride(&rehearsal, &images, seed);
        println!(
            "{seed:>4}  {:<10}  {:<10}  {:>7.1}  {:>5}  {:>7}",
            format!("{:?}", ride.fate),
            format!("{:?}", ride.codes),
            ride.seconds,
            ride.calls,
            ride.faulted
        );
        rides.push(ride);
    }
    summary(&rides);
}

/// One release of the image that does not run, through trouble of this seed.
fn ride(rehearsal: &Rehearsal, images: &[Image; 2], seed: u64) -> Ride {
    let fate = Fate::of(seed);
    let before = rehearsal.status();
    let running = before["release"]["digest"].as_str().unwrap().to_owned();
    let image = images
        .iter()
        .find(|image| image.digest.to_string() != running)
        .unwrap();
    let digest = image.digest.to_string();
    prepare(rehearsal, fate, &digest);
    trouble(rehearsal, seed);
    rehearsal.run(&["local", "calls", "--reset"]).expect(0);

    let began = Instant::now();
    let mut codes = Vec::new();
    let mut last = None;
    while codes.len() < RUNS_AT_MOST {
        let run = rehearsal.run(&["rollout", "--digest", &digest, "--output", "json"]);
        codes.push(run.code);
        let again = RUN_AGAIN.contains(&run.code);
        last = Some(run);
        if !again {
            break;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let counted = rehearsal
        .run(&["local", "calls", "--output", "json"])
        .expect(0)
        .json();
    rehearsal.run(&["local", "fault", "clear"]).expect(0);
    let last = last.unwrap();
    assert_eq!(
        codes.last(),
        Some(&fate.exit()),
        "seed {seed}, {fate:?}: {codes:?}\n{}\n{}",
        last.stdout,
        last.stderr
    );
    let now = rehearsal.status();
    match fate {
        Fate::Good => assert_eq!(now["release"]["digest"], digest, "seed {seed}"),
        Fate::Broken | Fate::Superseded => {
            assert_eq!(now["release"]["digest"], running, "seed {seed}");
        }
    }
    if fate == Fate::Superseded {
        settle(rehearsal);
    }
    Ride {
        fate,
        codes,
        seconds,
        calls: counted["total"].as_u64().unwrap(),
        faulted: faulted(&counted),
    }
}

fn prepare(rehearsal: &Rehearsal, fate: Fate, digest: &str) {
    let image = format!("*@{digest}");
    let fault: &[&str] = match fate {
        Fate::Good => return,
        Fate::Broken => &["crash-tasks", "--image", &image, "--exit-code", "3"],
        Fate::Superseded => &["other-deployment", "--when-running", "1"],
    };
    rehearsal
        .run(&[&["local", "fault"], fault].concat())
        .expect(0);
}

fn trouble(rehearsal: &Rehearsal, seed: u64) {
    let seed = (seed + 1).to_string();
    for fault in [
        &["throttle", "--probability", THROTTLED][..],
        &["server-error", "--probability", FAILING],
        &["cut-off", "--probability", CUT_OFF, "--carried-out", "0.5"],
        &["latency", "--milliseconds", "0", "--up-to", "2000"],
    ] {
        let arguments = [&["local", "fault"], fault, &["--seed", &seed]].concat();
        rehearsal.run(&arguments).expect(0);
    }
}

/// Somebody else's deployment goes on after ours was superseded: the next rollout comes after it.
fn settle(rehearsal: &Rehearsal) {
    rehearsal.run(&["watch", "--timeout", "120"]).expect(0);
}

fn faulted(counted: &Value) -> u64 {
    let operations = counted["operations"].as_object().unwrap();
    operations
        .values()
        .filter_map(|operation| operation["faulted"].as_u64())
        .sum()
}

fn summary(rides: &[Ride]) {
    let mut by_fate: BTreeMap<Fate, Vec<&Ride>> = BTreeMap::new();
    for ride in rides {
        by_fate.entry(ride.fate).or_default().push(ride);
    }
    println!("\nfate        rollouts  true verdicts  runs again  seconds  calls per minute");
    for (fate, rides) in by_fate {
        let seconds: f64 = rides.iter().map(|ride| ride.seconds).sum();
        let calls: u64 = rides.iter().map(|ride| ride.calls).sum();
        let again: usize = rides.iter().map(|ride| ride.codes.len() - 1).sum();
        println!(
            "{:<10}  {:>8}  {:>13}  {:>10}  {:>7.0}  {:>16.0}",
            format!("{fate:?}"),
            rides.len(),
            rides.len(),
            again,
            seconds,
            calls as f64 / seconds * 60.0
        );
    }
}
