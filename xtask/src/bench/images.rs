//! What a finished image costs: a push, unchanged and changed, and a promotion.
//!
//! Docker's image is `FROM scratch` with a `COPY` of the finished binary: the least that Docker
//! could have to do.

use super::world::World;
use super::{Row, median};

/// The image and its tag are in the registry; we unpack and check it all the same.
pub fn unchanged_image(world: &World, runs: usize) -> anyhow::Result<Row> {
    let layout = world.image("unchanged", 0)?;
    let publish = || world.publish(&layout, "unchanged");
    let docker = || -> anyhow::Result<()> {
        world.docker(&[
            "build",
            "--quiet",
            "--tag",
            &world.reference("by-docker"),
            &world.context(),
        ])?;
        world.docker(&["push", "--quiet", &world.reference("by-docker")])
    };
    let skopeo = || {
        world.skopeo_copy(
            &format!("oci:{}", layout.display()),
            &world.remote("by-skopeo"),
        )
    };
    world.docker_context(0)?;
    publish()?;
    docker()?;
    skopeo()?;
    Ok(Row {
        what: "push of an unchanged image",
        ours: median(runs, |_| publish())?,
        docker: Some(median(runs, |_| docker())?),
        skopeo: Some(median(runs, |_| skopeo())?),
    })
}

/// Another binary each time, of the server's size.
pub fn changed_image(world: &World, runs: usize) -> anyhow::Result<Row> {
    let layouts = (0..runs)
        .map(|run| world.image(&format!("changed-{run}"), 1 + run as u64))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let ours = median(runs, |run| {
        world.publish(&layouts[run], &format!("ours-{run}"))
    })?;
    // Other content for each tool: a blob that one of them sent is nothing to do for the next.
    let others = (0..runs)
        .map(|run| world.image(&format!("skopeo-{run}"), 1000 + run as u64))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let skopeo = median(runs, |run| {
        let from = format!("oci:{}", others[run].display());
        world.skopeo_copy(&from, &world.remote(&format!("skopeo-{run}")))
    })?;
    for run in 0..runs {
        world.docker_context(2000 + run as u64)?;
        let tag = world.reference(&format!("docker-{run}"));
        world.docker(&["build", "--quiet", "--tag", &tag, &world.context()])?;
    }
    let docker = median(runs, |run| {
        world.docker(&[
            "push",
            "--quiet",
            &world.reference(&format!("docker-{run}")),
        ])
    })?;
    Ok(Row {
        what: "push of a changed image",
        ours,
        docker: Some(docker),
        skopeo: Some(skopeo),
    })
}

/// From one repository to another of the same registry.
pub fn promotion(world: &World, runs: usize) -> anyhow::Result<Row> {
    for run in 0..runs {
        for by in ["by-us", "by-skopeo"] {
            world.create_repository(&format!("{by}/{run}"))?;
        }
    }
    let ours = median(runs, |run| world.promote("unchanged", run))?;
    let skopeo = median(runs, |run| {
        let to = world.remote_in(&format!("by-skopeo/{run}"), "unchanged");
        world.skopeo_copy(&world.remote("unchanged"), &to)
    })?;
    Ok(Row {
        what: "promotion within a registry",
        ours,
        docker: None,
        skopeo: Some(skopeo),
    })
}
