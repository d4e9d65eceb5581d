//! The tables that people see.

use quilt_mcp_deploy::release::ReleaseTags;
use quilt_mcp_deploy::report::terminal::final_table;
use quilt_mcp_deploy::status::{Running, Status};

use crate::script::{RUNS, timeline};

#[test]
fn a_table_remains_of_a_rollout() {
    for name in RUNS {
        for width in [80, 40] {
            let Some(table) = final_table(&timeline(name), width) else {
                assert_eq!(name, "refused");
                continue;
            };
            assert!(
                table
                    .lines()
                    .all(|line| line.chars().count() <= usize::from(width)),
                "{table}"
            );
            insta::assert_snapshot!(format!("table {width} {name}"), table);
        }
    }
}

#[test]
fn the_status_fits_the_terminal() {
    let status = Status {
        version: 1,
        environment: "staging".into(),
        url: "https://mcp.staging.acme.example/mcp/".into(),
        cluster: "acme-staging".into(),
        service: "acme-mcp-server".into(),
        desired: 2,
        deploy_through: "ecs",
        stack: None,
        release: Running {
            revision: "arn:aws:ecs:eu-west-1:123456789012:task-definition/acme-mcp-server:42"
                .into(),
            image: None,
            digest: Some(
                "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824".into(),
            ),
            tags: ReleaseTags {
                commit: Some("3f2a9c1b0d4e4f5a8b7c6d5e4f3a2b1c0d9e8f7a".into()),
                ..ReleaseTags::default()
            },
            template_waiting: Some(
                "arn:aws:ecs:eu-west-1:123456789012:task-definition/acme-mcp-server:43".into(),
            ),
        },
        deployments: Vec::new(),
        tasks: Vec::new(),
        targets: Vec::new(),
        events: Vec::new(),
        unknown: vec!["elbv2:DescribeTargetHealth was refused: AccessDenied".into()],
    };
    for width in [80_usize, 40] {
        let text = format!("{status:width$}");
        assert!(
            text.lines().all(|line| line.chars().count() <= width),
            "{text}"
        );
        insta::assert_snapshot!(format!("status {width}"), text);
    }
}
