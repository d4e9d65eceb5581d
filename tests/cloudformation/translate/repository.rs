//! The repository, with the policies that the module attaches to it.

use serde_json::{Value, json};

use super::Attributes;

pub fn repository(mut repository: Attributes) -> Value {
    let mut scanning = repository.take_block("image_scanning_configuration");
    let mut encryption = repository.take_block("encryption_configuration");
    let mut properties = json!({
        "RepositoryName": repository.take("name"),
        "ImageTagMutability": repository.take("image_tag_mutability"),
        "EmptyOnDelete": repository.take("force_delete"),
        "ImageScanningConfiguration": {"ScanOnPush": scanning.take("scan_on_push")},
        "EncryptionConfiguration": {"EncryptionType": encryption.take("encryption_type")},
    });
    if let Some(key) = encryption.take_if_said("kms_key") {
        properties["EncryptionConfiguration"]["KmsKey"] = key;
    }
    repository.add_tags(&mut properties);
    scanning.finish();
    encryption.finish();
    repository.drop(&["arn", "repository_url"]);
    properties
}

pub fn add_policy(repository: &mut Value, mut policy: Attributes) {
    assert_eq!(policy.take("repository"), repository["RepositoryName"]);
    let document = policy.take_json("policy");
    if policy.address().starts_with("aws_ecr_lifecycle_policy.") {
        repository["LifecyclePolicy"] = json!({"LifecyclePolicyText": document});
    } else {
        repository["RepositoryPolicyText"] = document;
    }
    policy.finish();
}
