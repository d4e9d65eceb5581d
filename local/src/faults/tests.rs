use super::*;

fn on(faults: &Faults, text: &str) {
    faults.set(serde_json::from_str(text).unwrap()).unwrap();
}

#[test]
fn one_of_each_kind_and_target_and_only_the_named_operations() {
    let faults = Faults::default();
    for milliseconds in [10, 20] {
        on(
            &faults,
            &format!(r#"{{"fault":"latency","operation":"ecs:*","milliseconds":{milliseconds}}}"#),
        );
    }
    assert_eq!(
        faults.fate("ecs:ListTasks").delay,
        Duration::from_millis(20)
    );
    assert_eq!(faults.fate("ecr:ListImages"), Fate::default());
    on(&faults, r#"{"fault":"deny","operation":"ecs:ListTasks"}"#);
    on(&faults, r#"{"fault":"deny","operation":"ecs:StopTask"}"#);
    on(&faults, r#"{"fault":"throttle","operation":"ecs:*Tasks"}"#);
    let refusal = |operation: &str| faults.fate(operation).refusal;
    assert_eq!(refusal("ecs:ListTasks"), Some(Refusal::Denied));
    assert_eq!(refusal("ecs:StopTask"), Some(Refusal::Denied));
    assert_eq!(refusal("ecs:DescribeTasks"), Some(Refusal::Throttled));
    assert_eq!(refusal("ecs:ListServices"), None);
    assert_eq!(faults.list().len(), 4);
    assert!(faults.clear(Some("deny")));
    assert!(!faults.clear(Some("deny")));
    assert_eq!(faults.list().len(), 2);
    assert!(faults.clear(None));
    assert!(faults.list().is_empty());
}

#[test]
fn a_seed_gives_the_same_fates_again() {
    let fates = || -> Vec<Fate> {
        let faults = Faults::default();
        on(
            &faults,
            r#"{"fault":"throttle","probability":0.3,"seed":11}"#,
        );
        on(
            &faults,
            r#"{"fault":"server-error","probability":0.1,"seed":11}"#,
        );
        on(
            &faults,
            r#"{"fault":"cut-off","probability":0.05,"carried_out":0.5,"seed":11}"#,
        );
        on(
            &faults,
            r#"{"fault":"latency","milliseconds":0,"up_to":3000,"seed":11}"#,
        );
        (0..1000)
            .map(|_| faults.fate("ecs:DescribeTasks"))
            .collect()
    };
    let first = fates();
    assert_eq!(first, fates());
    let count = |wanted: fn(&&Fate) -> bool| first.iter().filter(wanted).count();
    assert!((250..350).contains(&count(|fate| fate.refusal == Some(Refusal::Throttled))));
    assert!((40..110).contains(&count(|fate| fate.refusal == Some(Refusal::ServerError))));
    assert!((30..75).contains(&count(|fate| fate.cut_off.is_some())));
    assert!(count(|fate| fate.cut_off == Some(CutOff::AfterwardsCarriedOut)) > 5);
    assert!(
        first
            .iter()
            .all(|fate| fate.delay <= Duration::from_secs(3))
    );
    assert!(count(|fate| fate.delay > Duration::from_secs(2)) > 200);
}

#[test]
fn a_registry_recovers_after_the_given_times() {
    let faults = Faults::default();
    on(
        &faults,
        r#"{"fault":"break-uploads","repository":"a*","after_bytes":9,"times":2}"#,
    );
    assert_eq!(faults.upload_limit("b"), None);
    for _ in 0..2 {
        assert_eq!(faults.upload_limit("a"), Some(9));
        faults.upload_broke("b");
        faults.upload_broke("a");
    }
    assert_eq!(faults.upload_limit("a"), None);
    assert!(faults.list().is_empty());
}

#[test]
fn defaults_and_nonsense() {
    let fault: Fault = serde_json::from_str(r#"{"fault":"throttle","seed":1}"#).unwrap();
    let expected = Fault::Throttle {
        operation: "*".to_owned(),
        probability: 1.0,
        seed: 1,
    };
    assert_eq!(fault, expected);
    for unknown in [
        r#"{"fault":"gremlins"}"#,
        r#"{"fault":"deny"}"#,
        r#"{"fault":"throttle","share":1}"#,
    ] {
        assert!(serde_json::from_str::<Fault>(unknown).is_err(), "{unknown}");
    }
    for nonsense in [
        r#"{"fault":"throttle","probability":1.5}"#,
        r#"{"fault":"cut-off","carried_out":-1}"#,
        r#"{"fault":"latency","milliseconds":10,"up_to":5}"#,
        r#"{"fault":"slow-start","seconds":-1}"#,
        r#"{"fault":"unhealthy","status":42}"#,
        r#"{"fault":"retire-task","after_seconds":1e300}"#,
    ] {
        let fault: Fault = serde_json::from_str(nonsense).unwrap();
        assert!(Faults::default().set(fault).is_err(), "{nonsense}");
    }
}
