//! What CloudFormation makes of a template: parameters and functions are replaced by values, as the
//! User Guide's "Intrinsic function reference" and "Rule functions" say.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::attributes;

pub const ACCOUNT: &str = "123456789012";
pub const REGION: &str = "us-east-1";
pub const STACK: &str = "sales-prod-mcp-server";

/// A template and the values of its parameters.
pub struct Evaluation {
    template: Value,
    parameters: BTreeMap<String, String>,
}

impl Evaluation {
    /// The template with these parameters, and the others' defaults.
    pub fn new(template: Value, parameters: &[(&str, &str)]) -> Self {
        let declared = template["Parameters"].as_object().unwrap();
        let mut values: BTreeMap<String, String> = declared
            .iter()
            .filter(|(_, parameter)| !parameter["Default"].is_null())
            .map(|(name, parameter)| (name.clone(), text(&parameter["Default"])))
            .collect();
        for (name, value) in parameters {
            assert!(declared.contains_key(*name), "no parameter {name}");
            values.insert((*name).to_owned(), (*value).to_owned());
        }
        for name in declared.keys() {
            assert!(values.contains_key(name), "parameter {name} has no value");
        }
        Self {
            template,
            parameters: values,
        }
    }

    /// The values of all its parameters.
    pub fn values(&self) -> &BTreeMap<String, String> {
        &self.parameters
    }

    /// The resources whose condition holds, with their properties resolved.
    pub fn resources(&self) -> Map<String, Value> {
        let declared = self.template["Resources"].as_object().unwrap();
        let present =
            declared
                .iter()
                .filter(|(_, resource)| match resource["Condition"].as_str() {
                    Some(condition) => self.condition(condition),
                    None => true,
                });
        present
            .map(|(id, resource)| (id.clone(), self.resolved(&resource["Properties"])))
            .collect()
    }

    /// The template with every `Fn::If` decided, for who cannot decide it in a list.
    pub fn decided(&self) -> Value {
        self.decided_but(&[])
    }

    /// The same, without those of these conditions.
    pub fn decided_but(&self, open: &[&str]) -> Value {
        let mut template = self.template.clone();
        for part in ["Resources", "Outputs"] {
            template[part] = self.decide(&template[part], open).unwrap();
        }
        template
    }

    fn decide(&self, value: &Value, open: &[&str]) -> Option<Value> {
        let is_open = |argument: &Value| open.iter().any(|condition| argument[0] == *condition);
        match value {
            Value::Array(items) => {
                let items = items.iter().filter_map(|item| self.decide(item, open));
                Some(items.collect())
            }
            Value::Object(members) => match function(members) {
                Some(("Fn::If", argument)) if !is_open(argument) => {
                    self.decide(self.chosen(argument), open)
                }
                Some(("Ref", name)) if name == "AWS::NoValue" => None,
                _ => Some(
                    members
                        .iter()
                        .filter_map(|(name, value)| Some((name.clone(), self.decide(value, open)?)))
                        .collect::<Map<_, _>>()
                        .into(),
                ),
            },
            plain => Some(plain.clone()),
        }
    }

    /// What `Fn::If` chooses.
    fn chosen<'a>(&self, argument: &'a Value) -> &'a Value {
        let holds = self.condition(argument[0].as_str().unwrap());
        &argument[if holds { 1 } else { 2 }]
    }

    /// The values of the outputs.
    pub fn outputs(&self) -> BTreeMap<String, String> {
        let outputs = self.template["Outputs"].as_object().unwrap();
        outputs
            .iter()
            .map(|(name, output)| (name.clone(), text(&self.resolved(&output["Value"]))))
            .collect()
    }

    /// The descriptions of the assertions in `Rules` that do not hold.
    pub fn broken_rules(&self) -> Vec<String> {
        let mut broken = Vec::new();
        for rule in self.template["Rules"].as_object().into_iter().flatten() {
            let (_, rule) = rule;
            let applies = rule
                .get("RuleCondition")
                .is_none_or(|condition| self.holds(condition));
            for assertion in rule["Assertions"].as_array().unwrap() {
                if applies && !self.holds(&assertion["Assert"]) {
                    broken.push(text(&assertion["AssertDescription"]));
                }
            }
        }
        broken
    }

    /// A value without functions; panics where nothing is left of it.
    pub fn resolved(&self, value: &Value) -> Value {
        self.resolve(value)
            .unwrap_or_else(|| panic!("AWS::NoValue in the place of {value}"))
    }

    /// `None` is `AWS::NoValue`.
    fn resolve(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Array(items) => {
                Some(items.iter().filter_map(|item| self.resolve(item)).collect())
            }
            Value::Object(members) => match function(members) {
                Some((name, argument)) => self.call(name, argument),
                None => Some(
                    members
                        .iter()
                        .filter_map(|(name, value)| Some((name.clone(), self.resolve(value)?)))
                        .collect::<Map<_, _>>()
                        .into(),
                ),
            },
            plain => Some(plain.clone()),
        }
    }

    fn call(&self, name: &str, argument: &Value) -> Option<Value> {
        let value = match name {
            "Ref" if argument == "AWS::NoValue" => return None,
            "Ref" => self.reference(argument.as_str().unwrap()),
            "Fn::If" => return self.resolve(self.chosen(argument)),
            "Fn::GetAtt" => {
                let part = |at: usize| argument[at].as_str().unwrap();
                json!(self.attribute(part(0), part(1)))
            }
            "Fn::Sub" => json!(self.substitute(argument)),
            "Fn::Join" => {
                let items = self.resolved(&argument[1]);
                let items: Vec<String> = items.as_array().unwrap().iter().map(text).collect();
                json!(items.join(argument[0].as_str().unwrap()))
            }
            "Fn::Split" => {
                let whole = text(&self.resolved(&argument[1]));
                whole.split(argument[0].as_str().unwrap()).collect()
            }
            "Fn::Select" => {
                let items = self.resolved(&argument[1]);
                let at: usize = text(&argument[0]).parse().unwrap();
                let chosen = items.get(at);
                chosen
                    .unwrap_or_else(|| panic!("nothing at {argument}"))
                    .clone()
            }
            other => panic!("{other} is not known here"),
        };
        Some(value)
    }

    fn reference(&self, name: &str) -> Value {
        if let Some(value) = pseudo_parameter(name) {
            return json!(value);
        }
        let Some(value) = self.parameters.get(name) else {
            return json!(self.attribute(name, "Ref"));
        };
        let kind = self.template["Parameters"][name]["Type"].as_str().unwrap();
        if kind.starts_with("List<") || kind == "CommaDelimitedList" {
            value.split(',').collect()
        } else {
            json!(value)
        }
    }

    /// What AWS would say of a resource that it made.
    fn attribute(&self, id: &str, attribute: &str) -> String {
        let resource = &self.template["Resources"][id];
        let kind = resource["Type"].as_str();
        let kind = kind.unwrap_or_else(|| panic!("no parameter and no resource {id}"));
        attributes::of(kind, attribute, &|property| {
            text(&self.resolved(&resource["Properties"][property]))
        })
    }

    /// `${Name}`, `${Resource.Attribute}` and the names of the second argument.
    fn substitute(&self, argument: &Value) -> String {
        let (pattern, local) = match argument {
            Value::Array(two) => (&two[0], self.resolved(&two[1])),
            pattern => (pattern, Value::Null),
        };
        let mut rest = pattern.as_str().unwrap();
        let mut whole = String::new();
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').unwrap();
            whole.push_str(before);
            whole.push_str(&match (local.get(name), name.split_once('.')) {
                (Some(value), _) => text(value),
                (None, Some((id, attribute))) => self.attribute(id, attribute),
                (None, None) => text(&self.reference(name)),
            });
            rest = after;
        }
        whole + rest
    }

    fn condition(&self, name: &str) -> bool {
        let condition = &self.template["Conditions"][name];
        assert!(!condition.is_null(), "no condition {name}");
        self.holds(condition)
    }

    fn holds(&self, condition: &Value) -> bool {
        let (name, argument) = condition
            .as_object()
            .and_then(function)
            .unwrap_or_else(|| panic!("no condition: {condition}"));
        let all = || argument.as_array().unwrap().iter();
        let values = |at: usize| -> Vec<String> {
            let list = self.resolved(&argument[at]);
            list.as_array().unwrap().iter().map(text).collect()
        };
        let value = |at: usize| text(&self.resolved(&argument[at]));
        match name {
            "Condition" => self.condition(argument.as_str().unwrap()),
            "Fn::Equals" => value(0) == value(1),
            "Fn::Not" => !self.holds(&argument[0]),
            "Fn::And" | "Fn::Or" => {
                // The User Guide: two to ten conditions.
                assert!((2..=10).contains(&all().count()), "{condition}");
                match name {
                    "Fn::And" => all().all(|condition| self.holds(condition)),
                    _ => all().any(|condition| self.holds(condition)),
                }
            }
            "Fn::Contains" => values(0).contains(&value(1)),
            "Fn::EachMemberEquals" => {
                let of = |at: usize| argument[0]["Fn::ValueOf"][at].as_str().unwrap();
                let named = self.reference(of(0));
                let mut named = named.as_array().unwrap().iter();
                named.all(|one| attributes::of_parameter(of(1), &text(one)) == value(1))
            }
            other => panic!("{other} is no condition"),
        }
    }
}

/// The one member of a function's object.
fn function(members: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = members.iter().next()?;
    let is_one = name.starts_with("Fn::") || name == "Ref" || name == "Condition";
    // A policy's statement has a member `Condition` as well.
    let is_function =
        is_one && members.len() == 1 && !(name == "Condition" && argument.is_object());
    is_function.then_some((name, argument))
}

fn pseudo_parameter(name: &str) -> Option<&'static str> {
    Some(match name {
        "AWS::AccountId" => ACCOUNT,
        "AWS::Partition" => "aws",
        "AWS::Region" => REGION,
        "AWS::StackName" => STACK,
        "AWS::URLSuffix" => "amazonaws.com",
        _ => return None,
    })
}

/// A scalar as a text: CloudFormation passes numbers and booleans as either.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        other => panic!("no text: {other}"),
    }
}
