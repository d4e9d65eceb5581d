//! What the modules make in CloudFormation's words: the properties that a template must have to make
//! the same resources (AWS resource reference).

mod attributes;
mod balancer;
mod network;
mod observability;
mod repository;
mod roles;
mod service;

use serde_json::{Map, Value};

pub use self::attributes::Attributes;
use crate::module::Resource;

/// The properties of each resource, by the logical id that the template gives it.
pub fn resources(resources: Vec<Resource>) -> Map<String, Value> {
    let mut described = Map::new();
    let mut rules = Vec::new();
    let mut policies = Vec::new();
    for resource in resources {
        let attributes = Attributes::of(resource);
        let address = attributes.address().to_owned();
        let (id, properties) = match address.split(['.', '[']).next().unwrap() {
            "aws_vpc_security_group_ingress_rule" | "aws_vpc_security_group_egress_rule" => {
                rules.push(attributes);
                continue;
            }
            "aws_ecr_lifecycle_policy" | "aws_ecr_repository_policy" | "aws_iam_role_policy" => {
                policies.push(attributes);
                continue;
            }
            "aws_lb_target_group" => ("TargetGroup", balancer::target_group(attributes)),
            "aws_lb_listener_rule" => ("ListenerRule", balancer::listener_rule(attributes)),
            "aws_wafv2_web_acl_association" => ("WebAclAssociation", balancer::web_acl(attributes)),
            "aws_security_group" => ("SecurityGroup", network::security_group(attributes)),
            "aws_iam_role" => (roles::id(&address), roles::role(attributes)),
            "aws_ecr_repository" => ("Repository", repository::repository(attributes)),
            "aws_cloudwatch_log_group" => ("LogGroup", observability::log_group(attributes)),
            "aws_cloudwatch_log_metric_filter" => (
                observability::filter_id(&address),
                observability::metric_filter(attributes),
            ),
            "aws_cloudwatch_metric_alarm" => (
                observability::alarm_id(&address),
                observability::alarm(attributes),
            ),
            "aws_cloudwatch_dashboard" => ("Dashboard", observability::dashboard(attributes)),
            "aws_ecs_task_definition" => ("TaskDefinition", service::task_definition(attributes)),
            "aws_ecs_service" => ("Service", service::service(attributes)),
            "aws_appautoscaling_target" => ("ScalableTarget", service::scalable_target(attributes)),
            "aws_appautoscaling_policy" => ("CpuScaling", service::scaling_policy(attributes)),
            _ => panic!("nobody compares {address}"),
        };
        let before = described.insert(id.to_owned(), properties);
        assert_eq!(before, None, "{address}");
    }
    for rule in rules {
        network::add_rule(&mut described["SecurityGroup"], rule);
    }
    for policy in policies {
        if policy.address().starts_with("aws_ecr_") {
            repository::add_policy(&mut described["Repository"], policy);
        } else {
            roles::add_policy(&mut described, policy);
        }
    }
    described
}

/// The outputs, named as a template names its own: `service_arn` is `ServiceArn`.
pub fn outputs(outputs: &Map<String, Value>) -> Value {
    let named = outputs.iter().map(|(name, value)| {
        let words = name.split('_').map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_uppercase() + rest
        });
        (words.collect::<String>(), value.clone())
    });
    named.collect::<Map<_, _>>().into()
}
