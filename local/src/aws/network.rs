//! The network that the local environment pretends to have: two private subnets behind a NAT gateway,
//! and the security groups of the load balancer and of the tasks.

pub(crate) const VPC: &str = "vpc-0a4d3c2b1f0e9d8c7";
pub(crate) const ROUTE_TABLE: &str = "rtb-0b7c6d5e4f3a2b1c0";
pub(crate) const NAT_GATEWAY: &str = "nat-0c1d2e3f4a5b6c7d8";
/// Of the load balancer: takes HTTP from everywhere.
pub(crate) const BALANCER_GROUP: &str = "sg-0d2e4f6a8b0c1d3e5";
/// Of the tasks: takes the container port from the load balancer.
pub(crate) const TASK_GROUP: &str = "sg-0e1f2a3b4c5d6e7f8";

/// A private subnet.
pub(crate) struct Subnet {
    pub id: &'static str,
    pub zone: &'static str,
    pub cidr: &'static str,
}

pub(crate) const SUBNETS: [Subnet; 2] = [
    Subnet {
        id: "subnet-0f1e2d3c4b5a69788",
        zone: "us-east-1a",
        cidr: "10.20.1.0/24",
    },
    Subnet {
        id: "subnet-0f2e3d4c5b6a79899",
        zone: "us-east-1b",
        cidr: "10.20.2.0/24",
    },
];
