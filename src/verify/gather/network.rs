//! Subnets, routes, VPC endpoints and security groups.

use std::collections::BTreeMap;

use futures::join;
use serde_json::{Value, json};

use crate::aws::direct::{Question, Service as Api};
use crate::aws::{AwsError, Clients};
use crate::verify::facts::Ingress;
use crate::verify::{Fetched, Missing, Network, RouteTable, SecurityGroup, Service, Subnet};

pub(super) async fn network(clients: &Clients, service: Fetched<&Service>) -> Fetched<Network> {
    let service = service?;
    if service.subnets.is_empty() {
        return Err(Missing::Other("the service names no subnets".into()));
    }
    let subnets = subnets(clients, &service.subnets);
    let (subnets, security_groups) =
        join!(subnets, security_groups(clients, &service.security_groups));
    let vpcs = subnets?;
    let vpc_ids: Vec<&String> = {
        let mut ids: Vec<&String> = vpcs.values().collect();
        ids.sort();
        ids.dedup();
        ids
    };
    let (tables, endpoints) = join!(
        route_tables(clients, &vpc_ids),
        endpoints(clients, &vpc_ids)
    );
    Ok(Network {
        subnets: service
            .subnets
            .iter()
            .map(|id| Subnet {
                id: id.clone(),
                routes: match &tables {
                    Ok(tables) => table_of(tables, id, vpcs.get(id)),
                    Err(error) => Err(error.clone().into()),
                },
            })
            .collect(),
        security_groups,
        endpoints,
    })
}

async fn ask(
    clients: &Clients,
    action: &'static str,
    resource: String,
    parameters: Value,
) -> Result<Value, AwsError> {
    let question = Question {
        service: Api::Ec2,
        action,
        resource,
        parameters,
    };
    clients.direct.ask(&question).await
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Each subnet's VPC.
async fn subnets(clients: &Clients, ids: &[String]) -> Result<BTreeMap<String, String>, AwsError> {
    let parameters = json!({"SubnetId": ids});
    let answer = ask(clients, "ec2:DescribeSubnets", ids.join(", "), parameters).await?;
    Ok(items(&answer["subnetSet"])
        .map(|subnet| (text(&subnet["subnetId"]), text(&subnet["vpcId"])))
        .collect())
}

fn of_vpcs(vpcs: &[&String]) -> Value {
    json!({"Filter": [{"Name": "vpc-id", "Value": vpcs}]})
}

fn names(vpcs: &[&String]) -> String {
    vpcs.iter()
        .map(|vpc| vpc.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// All tables: the main one counts for subnets without one of their own.
async fn route_tables(clients: &Clients, vpcs: &[&String]) -> Result<Vec<Value>, AwsError> {
    let answer = ask(
        clients,
        "ec2:DescribeRouteTables",
        names(vpcs),
        of_vpcs(vpcs),
    )
    .await?;
    Ok(items(&answer["routeTableSet"]).cloned().collect())
}

fn table_of(tables: &[Value], subnet: &str, vpc: Option<&String>) -> Fetched<RouteTable> {
    let associated =
        |table: &&Value, holds: &dyn Fn(&Value) -> bool| items(&table["associationSet"]).any(holds);
    let own = tables
        .iter()
        .find(|table| associated(table, &|one| one["subnetId"] == subnet));
    let main = || {
        tables.iter().find(|table| {
            vpc.is_some_and(|vpc| table["vpcId"] == vpc.as_str())
                && associated(table, &|one| one["main"] == "true")
        })
    };
    let table = own
        .or_else(main)
        .ok_or_else(|| Missing::Other(format!("no route table of {subnet} was answered")))?;
    let route =
        items(&table["routeSet"]).find(|route| route["destinationCidrBlock"] == "0.0.0.0/0");
    const TARGETS: [&str; 8] = [
        "natGatewayId",
        "gatewayId",
        "transitGatewayId",
        "vpcPeeringConnectionId",
        "networkInterfaceId",
        "instanceId",
        "localGatewayId",
        "coreNetworkArn",
    ];
    Ok(RouteTable {
        default_route: route.map(|route| {
            TARGETS
                .iter()
                .find_map(|target| route[*target].as_str())
                .unwrap_or("a target that AWS does not name")
                .to_owned()
        }),
        blackhole: route.is_some_and(|route| route["state"] == "blackhole"),
    })
}

async fn endpoints(clients: &Clients, vpcs: &[&String]) -> Fetched<Vec<String>> {
    let answer = ask(
        clients,
        "ec2:DescribeVpcEndpoints",
        names(vpcs),
        of_vpcs(vpcs),
    )
    .await?;
    Ok(items(&answer["vpcEndpointSet"])
        .filter(|endpoint| {
            endpoint["state"]
                .as_str()
                .is_none_or(|state| state.eq_ignore_ascii_case("available"))
        })
        .map(|endpoint| text(&endpoint["serviceName"]))
        .collect())
}

async fn security_groups(clients: &Clients, ids: &[String]) -> Fetched<Vec<SecurityGroup>> {
    if ids.is_empty() {
        return Err(Missing::Other(
            "the service names no security groups, so the VPC's default one counts".into(),
        ));
    }
    let answer = ask(
        clients,
        "ec2:DescribeSecurityGroups",
        ids.join(", "),
        json!({"GroupId": ids}),
    )
    .await?;
    Ok(items(&answer["securityGroupInfo"])
        .map(|group| SecurityGroup {
            id: text(&group["groupId"]),
            ingress: items(&group["ipPermissions"]).map(ingress).collect(),
        })
        .collect())
}

fn ingress(permission: &Value) -> Ingress {
    let all = |list: &str, member: &str| -> Vec<String> {
        items(&permission[list])
            .map(|item| text(&item[member]))
            .collect()
    };
    let port = |name: &str| permission[name].as_str().and_then(|port| port.parse().ok());
    Ingress {
        protocol: text(&permission["ipProtocol"]),
        ports: port("fromPort").zip(port("toPort")),
        groups: all("groups", "groupId"),
        addresses: [all("ipRanges", "cidrIp"), all("ipv6Ranges", "cidrIpv6")].concat(),
        prefix_lists: all("prefixListIds", "prefixListId"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_without_a_table_of_its_own_has_the_main_one() {
        let table = |association: Value, route: Value| json!({"vpcId": "vpc-1", "associationSet": [association], "routeSet": [route]});
        let tables = [
            table(
                json!({"main": "true"}),
                json!({"destinationCidrBlock": "0.0.0.0/0", "gatewayId": "igw-1", "state": "active"}),
            ),
            table(
                json!({"subnetId": "subnet-1", "main": "false"}),
                json!({"destinationCidrBlock": "0.0.0.0/0", "natGatewayId": "nat-1", "state": "blackhole"}),
            ),
            table(
                json!({"subnetId": "subnet-3", "main": "false"}),
                json!({"destinationCidrBlock": "10.0.0.0/8", "gatewayId": "local"}),
            ),
        ];
        let vpc = "vpc-1".to_owned();
        for (subnet, default_route, blackhole) in [
            ("subnet-1", Some("nat-1"), true),
            ("subnet-2", Some("igw-1"), false),
            ("subnet-3", None, false),
        ] {
            let found = table_of(&tables, subnet, Some(&vpc)).unwrap();
            let expected = RouteTable {
                default_route: default_route.map(str::to_owned),
                blackhole,
            };
            assert_eq!(found, expected, "{subnet}");
        }
        assert!(table_of(&tables, "subnet-4", None).is_err());
    }
}
