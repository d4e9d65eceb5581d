//! A template revision as an infrastructure team may write it: far more than we know of.

use serde_json::{Value, json};

pub const FAMILY: &str = "acme-staging-mcp-server";

/// The parameters of `RegisterTaskDefinition`, tagged as Terraform's.
pub fn template() -> Value {
    json!({
        "family": FAMILY,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "512",
        "memory": "2048",
        "taskRoleArn": "arn:aws:iam::123456789012:role/acme-mcp-task",
        "executionRoleArn": "arn:aws:iam::123456789012:role/acme-mcp-execution",
        "pidMode": "task",
        "ipcMode": "none",
        "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
        "ephemeralStorage": {"sizeInGiB": 40},
        "proxyConfiguration": {
            "type": "APPMESH",
            "containerName": "envoy",
            "properties": [
                {"name": "IgnoredUID", "value": "1337"},
                {"name": "AppPorts", "value": "8000"},
                {"name": "ProxyIngressPort", "value": "15000"},
            ],
        },
        "volumes": [
            {"name": "scratch"},
            {"name": "shared", "efsVolumeConfiguration": {
                "fileSystemId": "fs-0123456789abcdef0",
                "rootDirectory": "/certificates",
                "transitEncryption": "ENABLED",
                "transitEncryptionPort": 2999,
                "authorizationConfig": {"accessPointId": "fsap-0123", "iam": "ENABLED"},
            }},
        ],
        "containerDefinitions": [envoy(), server(), log_router()],
        "tags": [
            {"key": "ManagedBy", "value": "terraform"},
            {"key": "CostCentre", "value": "4711"},
        ],
    })
}

fn server() -> Value {
    json!({
        "name": "mcp-server",
        "image": "public.ecr.aws/docker/library/busybox:bootstrap",
        "essential": true,
        "cpu": 384,
        "memory": 1536,
        "memoryReservation": 1024,
        "command": ["serve"],
        "entryPoint": ["/quilt-mcp-server"],
        "workingDirectory": "/",
        "user": "65532:65532",
        "readonlyRootFilesystem": true,
        "privileged": false,
        "interactive": false,
        "pseudoTerminal": false,
        "startTimeout": 60,
        "stopTimeout": 90,
        "versionConsistency": "enabled",
        "portMappings": [
            {"containerPort": 8000, "hostPort": 8000, "protocol": "tcp", "name": "mcp", "appProtocol": "http"},
        ],
        "environment": [
            {"name": "QUILT_CATALOG_URL", "value": "https://acme.example"},
            {"name": "EMPTY", "value": ""},
        ],
        "environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::acme-config/mcp.env"}],
        "secrets": [
            {"name": "SENTRY_DSN", "valueFrom": "arn:aws:ssm:eu-west-1:123456789012:parameter/sentry"},
        ],
        "dependsOn": [{"containerName": "envoy", "condition": "HEALTHY"}],
        "healthCheck": {
            "command": ["CMD", "/quilt-mcp-server", "healthcheck"],
            "interval": 10, "timeout": 5, "retries": 3, "startPeriod": 15,
        },
        "ulimits": [{"name": "nofile", "softLimit": 4096, "hardLimit": 65536}],
        "dockerLabels": {"com.acme.team": "data", "with.an.empty.value": ""},
        "linuxParameters": {
            "initProcessEnabled": true,
            "capabilities": {"drop": ["ALL"]},
        },
        "mountPoints": [
            {"sourceVolume": "scratch", "containerPath": "/tmp", "readOnly": false},
            {"sourceVolume": "shared", "containerPath": "/certificates", "readOnly": true},
        ],
        "systemControls": [{"namespace": "net.ipv4.tcp_keepalive_time", "value": "500"}],
        "resourceRequirements": [{"type": "GPU", "value": "1"}],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": "/acme/mcp", "awslogs-region": "eu-west-1",
                "awslogs-stream-prefix": "mcp-server", "mode": "non-blocking",
            },
            "secretOptions": [{"name": "token", "valueFrom": "arn:aws:ssm:eu-west-1:123456789012:parameter/log"}],
        },
        "restartPolicy": {"enabled": true, "ignoredExitCodes": [0, 143], "restartAttemptPeriod": 180},
    })
}

fn envoy() -> Value {
    json!({
        "name": "envoy",
        "image": "public.ecr.aws/appmesh/aws-appmesh-envoy:v1.29.9.0-prod",
        "essential": true,
        "user": "1337",
        "memory": 256,
        "environment": [{"name": "APPMESH_RESOURCE_ARN", "value": "mesh/acme/virtualNode/mcp"}],
        "healthCheck": {"command": ["CMD-SHELL", "curl -s http://localhost:9901/server_info | grep LIVE"]},
    })
}

fn log_router() -> Value {
    json!({
        "name": "log-router",
        "image": "public.ecr.aws/aws-observability/aws-for-fluent-bit:stable",
        "essential": false,
        "memoryReservation": 64,
        "firelensConfiguration": {"type": "fluentbit", "options": {"enable-ecs-log-metadata": "true"}},
        "repositoryCredentials": {"credentialsParameter": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:hub"},
    })
}
