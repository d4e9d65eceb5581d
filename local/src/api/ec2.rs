//! EC2, as far as a service's network is looked at: subnets, their routes, security groups.

use serde_json::{Value, json};

use super::error::{Answer, ApiError};
use super::input::Input;
use crate::aws::names;
use crate::aws::network::{
    BALANCER_GROUP, NAT_GATEWAY, ROUTE_TABLE, SUBNETS, Subnet, TASK_GROUP, VPC,
};

pub(super) fn call(operation: &str, input: &Input) -> Option<Answer> {
    Some(match operation {
        "DescribeSubnets" => subnets(input),
        "DescribeRouteTables" => route_tables(input),
        "DescribeSecurityGroups" => security_groups(input),
        "DescribeVpcEndpoints" => {
            select(input, Vec::new()).map(|found| json!({ "vpcEndpointSet": found }))
        }
        _ => return None,
    })
}

/// A resource: what it shows, and its values by the names of filters.
struct Resource {
    shown: Value,
    facts: Vec<(&'static str, Vec<String>)>,
}

/// Those that every filter lets through.
fn select(input: &Input, resources: Vec<Resource>) -> Result<Vec<Value>, ApiError> {
    let mut left = resources;
    for filter in input.list("Filter") {
        let name = filter
            .get("Name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let values: Vec<&str> = filter
            .get("Value")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let knows = |resource: &Resource| resource.facts.iter().any(|(fact, _)| *fact == name);
        if !left.is_empty() && !left.iter().any(knows) {
            return Err(ApiError::new(
                "InvalidParameterValue",
                format!("The local environment does not rehearse the filter '{name}'"),
            ));
        }
        left.retain(|resource| {
            resource.facts.iter().any(|(fact, held)| {
                *fact == name && held.iter().any(|value| values.contains(&value.as_str()))
            })
        });
    }
    Ok(left.into_iter().map(|resource| resource.shown).collect())
}

/// Refuses ids that do not exist.
fn check_ids(input: &Input, member: &str, known: &[&str], kind: &str) -> Result<(), ApiError> {
    for id in input.texts(member) {
        if !known.contains(&id) {
            return Err(ApiError::new(
                format!("Invalid{kind}.NotFound"),
                format!("The ID '{id}' does not exist"),
            ));
        }
    }
    Ok(())
}

fn is_wanted(input: &Input, member: &str, id: &str) -> bool {
    let wanted = input.texts(member);
    wanted.is_empty() || wanted.contains(&id)
}

fn subnets(input: &Input) -> Answer {
    let known = SUBNETS.map(|subnet| subnet.id);
    check_ids(input, "SubnetId", &known, "SubnetID")?;
    let resources = SUBNETS
        .iter()
        .filter(|subnet| is_wanted(input, "SubnetId", subnet.id))
        .map(subnet)
        .collect();
    Ok(json!({ "subnetSet": select(input, resources)? }))
}

fn subnet(subnet: &Subnet) -> Resource {
    Resource {
        shown: json!({
            "subnetId": subnet.id,
            "subnetArn": names::arn("ec2", &format!("subnet/{}", subnet.id)),
            "state": "available",
            "ownerId": names::ACCOUNT,
            "vpcId": VPC,
            "cidrBlock": subnet.cidr,
            "availableIpAddressCount": 251,
            "availabilityZone": subnet.zone,
            "defaultForAz": false,
            "mapPublicIpOnLaunch": false,
        }),
        facts: vec![
            ("subnet-id", vec![subnet.id.to_owned()]),
            ("vpc-id", vec![VPC.to_owned()]),
            ("availability-zone", vec![subnet.zone.to_owned()]),
        ],
    }
}

/// One table for both subnets: the VPC itself, and everything else through the NAT gateway.
fn route_tables(input: &Input) -> Answer {
    check_ids(input, "RouteTableId", &[ROUTE_TABLE], "RouteTableID")?;
    let associations: Vec<Value> = SUBNETS
        .iter()
        .map(|subnet| {
            json!({
                "routeTableAssociationId": subnet.id.replace("subnet-", "rtbassoc-"),
                "routeTableId": ROUTE_TABLE,
                "subnetId": subnet.id,
                "main": false,
                "associationState": { "state": "associated" },
            })
        })
        .collect();
    let table = Resource {
        shown: json!({
            "routeTableId": ROUTE_TABLE,
            "vpcId": VPC,
            "ownerId": names::ACCOUNT,
            "routeSet": [
                {
                    "destinationCidrBlock": "10.20.0.0/16", "gatewayId": "local",
                    "state": "active", "origin": "CreateRouteTable",
                },
                {
                    "destinationCidrBlock": "0.0.0.0/0", "natGatewayId": NAT_GATEWAY,
                    "state": "active", "origin": "CreateRoute",
                },
            ],
            "associationSet": associations,
        }),
        facts: vec![
            ("route-table-id", vec![ROUTE_TABLE.to_owned()]),
            ("vpc-id", vec![VPC.to_owned()]),
            ("association.main", vec!["false".to_owned()]),
            (
                "association.subnet-id",
                SUBNETS.iter().map(|subnet| subnet.id.to_owned()).collect(),
            ),
        ],
    };
    Ok(json!({ "routeTableSet": select(input, vec![table])? }))
}

fn security_groups(input: &Input) -> Answer {
    check_ids(input, "GroupId", &[BALANCER_GROUP, TASK_GROUP], "Group")?;
    let everywhere = json!([{ "cidrIp": "0.0.0.0/0" }]);
    let http = json!({
        "ipProtocol": "tcp", "fromPort": 80, "toPort": 80, "ipRanges": everywhere, "groups": [],
    });
    let from_balancer = json!({
        "ipProtocol": "tcp", "fromPort": names::CONTAINER_PORT, "toPort": names::CONTAINER_PORT,
        "ipRanges": [],
        "groups": [{ "groupId": BALANCER_GROUP, "userId": names::ACCOUNT }],
    });
    let groups = [
        (BALANCER_GROUP, "quilt-local-alb", http),
        (TASK_GROUP, "quilt-local-mcp-server", from_balancer),
    ];
    let resources = groups
        .into_iter()
        .filter(|(id, ..)| is_wanted(input, "GroupId", id))
        .map(|(id, name, ingress)| Resource {
            shown: json!({
                "groupId": id,
                "groupName": name,
                "groupDescription": name,
                "ownerId": names::ACCOUNT,
                "vpcId": VPC,
                "ipPermissions": [ingress],
                "ipPermissionsEgress": [{ "ipProtocol": "-1", "ipRanges": everywhere, "groups": [] }],
            }),
            facts: vec![
                ("group-id", vec![id.to_owned()]),
                ("group-name", vec![name.to_owned()]),
                ("vpc-id", vec![VPC.to_owned()]),
            ],
        })
        .collect();
    Ok(json!({ "securityGroupInfo": select(input, resources)? }))
}
