//! The local environment's ECS, as CloudFormation calls it.

use serde_json::{Value, json};

const CLUSTER: &str = "quilt-local";
const SERVICE: &str = "quilt-local-mcp-server";
/// What DescribeTaskDefinition answers and RegisterTaskDefinition does not take.
const ANSWERED_ONLY: [&str; 9] = [
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "deleteRequestedAt",
];

#[derive(Clone)]
pub struct Ecs {
    endpoint: String,
    client: reqwest::Client,
}

impl Ecs {
    pub(super) fn at(endpoint: &str, client: reqwest::Client) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            client,
        }
    }

    /// The service as DescribeServices has it.
    pub(super) async fn service(&self) -> Value {
        let parameters = json!({"cluster": CLUSTER, "services": [SERVICE]});
        let mut answer = self.call("DescribeServices", parameters).await.unwrap();
        answer["services"][0].take()
    }

    /// Registers `revision` with another image and these tags; gives the new one's ARN.
    pub(super) async fn register(
        &self,
        revision: &str,
        image: &str,
        tags: Value,
    ) -> Result<String, String> {
        let described = json!({"taskDefinition": revision});
        let mut answer = self.call("DescribeTaskDefinition", described).await?;
        let mut document = answer["taskDefinition"].take();
        let fields = document.as_object_mut().unwrap();
        for field in ANSWERED_ONLY {
            fields.remove(field);
        }
        document["containerDefinitions"][0]["image"] = json!(image);
        document["tags"] = tags;
        let answer = self.call("RegisterTaskDefinition", document).await?;
        let arn = answer["taskDefinition"]["taskDefinitionArn"].as_str();
        Ok(arn.unwrap().to_owned())
    }

    pub(super) async fn update_service(&self, mut parameters: Value) {
        parameters["cluster"] = json!(CLUSTER);
        parameters["service"] = json!(SERVICE);
        self.call("UpdateService", parameters).await.unwrap();
    }

    async fn call(&self, operation: &str, parameters: Value) -> Result<Value, String> {
        let scope = "test/20260101/us-east-1/ecs/aws4_request";
        let signature =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
        let request = self
            .client
            .post(&self.endpoint)
            .header("x-amz-target", target)
            .header("authorization", signature)
            .header("content-type", "application/x-amz-json-1.1");
        let answer = request.body(parameters.to_string()).send().await.unwrap();
        let good = answer.status().is_success();
        let text = answer.text().await.unwrap();
        if good {
            Ok(serde_json::from_str(&text).unwrap())
        } else {
            Err(text)
        }
    }
}
