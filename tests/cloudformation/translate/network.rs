//! The security group with its rules, which the module makes one by one.

use serde_json::{Value, json};

use super::Attributes;

pub fn security_group(mut group: Attributes) -> Value {
    let properties = json!({
        "GroupDescription": group.take("description"),
        "VpcId": group.take("vpc_id"),
        "SecurityGroupIngress": [],
        "SecurityGroupEgress": [],
        "Tags": group.take_tags(),
    });
    // The template lets CloudFormation choose the name, which must be another one for a new group.
    let prefix = group.take("name_prefix");
    assert_eq!(prefix, "sales-prod-mcp-server-");
    group.drop(&["id"]);
    properties
}

pub fn add_rule(group: &mut Value, mut rule: Attributes) {
    let (list, other) = if rule.address().contains("_ingress_") {
        ("SecurityGroupIngress", "SourceSecurityGroupId")
    } else {
        ("SecurityGroupEgress", "DestinationSecurityGroupId")
    };
    let mut said = json!({
        "Description": rule.take("description"),
        "IpProtocol": rule.take("ip_protocol"),
        "FromPort": rule.take("from_port"),
        "ToPort": rule.take("to_port"),
    });
    for (name, property) in [
        ("cidr_ipv4", "CidrIp"),
        ("cidr_ipv6", "CidrIpv6"),
        ("prefix_list_id", "DestinationPrefixListId"),
        ("referenced_security_group_id", other),
    ] {
        if let Some(value) = rule.take_if_said(name) {
            said[property] = value;
        }
    }
    group[list].as_array_mut().unwrap().push(said);
    // A rule inside a group has no tags.
    rule.drop(&["security_group_id", "tags"]);
}
