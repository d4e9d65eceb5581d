//! What was published before: a commit's image is built and pushed once.

use super::Published;
use crate::image::{Platform, Tag};
use crate::registry::access::Access;
use crate::registry::inspect::Inspector;

/// The image that the tag names already, where it says that it was built from `commit` for the
/// platform that the service runs on.
///
/// None where the tag is free, names anything else, or the registry would not show it: then the
/// image is to be built and pushed, and [`publish_image`](super::publish_image) says what is wrong.
pub async fn published_before(target: &Access, tag: &Tag, commit: &str) -> Option<Published> {
    let unseen = |why: String| tracing::debug!("{tag} cannot be looked at: {why}");
    let inspector = Inspector::connect(target).await.map_err(unseen).ok()?;
    let digest = inspector.tagged(tag).await.map_err(unseen).ok()??;
    let about = inspector.about(&digest).await.map_err(unseen).ok()?;
    let is_ours =
        about.commit.as_deref() == Some(commit) && about.platform == Platform::TARGET.to_string();
    is_ours.then(|| Published::already(target, tag, &digest, about.blobs))
}
