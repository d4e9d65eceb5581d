//! What AWS would answer where a template asks for what is not written in it: the return values of
//! its resource types (AWS resource reference), with ids that Terraform's mocks have too.

use crate::evaluate::{ACCOUNT, REGION};

/// The end of ids that AWS makes up.
const ID: &str = "0123456789abcdef";
/// The group that the stack makes.
pub const SECURITY_GROUP: &str = "sg-0fedcba9876543210";

/// An attribute of a resource; `Ref` is what a reference gives. `property` gives its properties.
pub fn of(kind: &str, attribute: &str, property: &dyn Fn(&str) -> String) -> String {
    let arn = |service: &str, rest: String| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}");
    match (kind, attribute) {
        ("AWS::ElasticLoadBalancingV2::TargetGroup", "Ref") => arn(
            "elasticloadbalancing",
            format!("targetgroup/{}/{ID}", property("Name")),
        ),
        ("AWS::ElasticLoadBalancingV2::TargetGroup", "TargetGroupFullName") => {
            format!("targetgroup/{}/{ID}", property("Name"))
        }
        ("AWS::ElasticLoadBalancingV2::ListenerRule", "Ref") => {
            let listener = property("ListenerArn");
            format!("{}/{ID}", listener.replace(":listener/", ":listener-rule/"))
        }
        ("AWS::EC2::SecurityGroup", "Ref" | "GroupId") => SECURITY_GROUP.to_owned(),
        ("AWS::IAM::Role", "Arn") => {
            format!("arn:aws:iam::{ACCOUNT}:role/{}", property("RoleName"))
        }
        ("AWS::Logs::LogGroup", "Ref") => property("LogGroupName"),
        ("AWS::Logs::LogGroup", "Arn") => {
            arn("logs", format!("log-group:{}:*", property("LogGroupName")))
        }
        ("AWS::ECS::TaskDefinition", "Ref") => {
            arn("ecs", format!("task-definition/{}:1", property("Family")))
        }
        ("AWS::ECS::Service", "Name") => property("ServiceName"),
        ("AWS::ApplicationAutoScaling::ScalableTarget", "Ref") => format!(
            "{}|{}|{}",
            property("ResourceId"),
            property("ScalableDimension"),
            property("ServiceNamespace")
        ),
        ("AWS::CloudWatch::Alarm", "Ref") => property("AlarmName"),
        ("AWS::CloudWatch::Dashboard", "Ref") => property("DashboardName"),
        ("AWS::ECR::Repository", "Ref") => property("RepositoryName"),
        ("AWS::ECR::Repository", "Arn") => {
            arn("ecr", format!("repository/{}", property("RepositoryName")))
        }
        ("AWS::ECR::Repository", "RepositoryUri") => format!(
            "{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{}",
            property("RepositoryName")
        ),
        other => panic!("nobody said what {other:?} is"),
    }
}

/// The network that the stack is in.
pub const VPC: &str = "vpc-0123456789abcdef0";
/// A subnet of another network.
pub const SUBNET_ELSEWHERE: &str = "subnet-0fedcba9876543210";

/// `Fn::ValueOf`: an attribute of what a parameter names.
pub fn of_parameter(attribute: &str, value: &str) -> String {
    assert_eq!(attribute, "VpcId");
    let vpc = match value {
        SUBNET_ELSEWHERE => "vpc-0fedcba9876543210",
        _ => VPC,
    };
    vpc.to_owned()
}
