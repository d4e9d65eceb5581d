//! The services, how each is spoken to, and where it is.

/// A service that is asked directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Identity and Access Management, which has one endpoint for all regions.
    Iam,
    /// Elastic Compute Cloud, for its networks.
    Ec2,
    /// Secrets Manager.
    SecretsManager,
    /// Systems Manager, for its Parameter Store.
    Ssm,
    /// CloudFormation, for the stack that holds a service.
    CloudFormation,
}

/// How a service is spoken to.
pub(super) enum Protocol {
    /// A form; the version of the API goes along.
    Query { version: &'static str },
    /// JSON; the operation is a header with this prefix.
    Json { target: &'static str },
}

impl Service {
    /// Its name in ARNs, IAM actions, host names and signatures.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Ec2 => "ec2",
            Self::SecretsManager => "secretsmanager",
            Self::Ssm => "ssm",
            Self::CloudFormation => "cloudformation",
        }
    }

    pub(super) fn protocol(self) -> Protocol {
        match self {
            Self::Iam => Protocol::Query {
                version: "2010-05-08",
            },
            Self::Ec2 => Protocol::Query {
                version: "2016-11-15",
            },
            Self::SecretsManager => Protocol::Json {
                target: "secretsmanager",
            },
            Self::Ssm => Protocol::Json {
                target: "AmazonSSM",
            },
            Self::CloudFormation => Protocol::Query {
                version: "2010-05-15",
            },
        }
    }
}

/// Where a service is and for which region it wants signatures.
pub(super) fn endpoint(service: Service, region: &str) -> (String, String) {
    let (suffix, global) = match region {
        region if region.starts_with("cn-") => ("amazonaws.com.cn", "cn-north-1"),
        region if region.starts_with("us-gov-") => ("amazonaws.com", "us-gov-west-1"),
        _ => ("amazonaws.com", "us-east-1"),
    };
    let name = service.name();
    match (service, global) {
        (Service::Iam, "us-east-1") => (format!("https://iam.{suffix}/"), global.to_owned()),
        (Service::Iam, "us-gov-west-1") => {
            (format!("https://iam.us-gov.{suffix}/"), global.to_owned())
        }
        (Service::Iam, _) => (format!("https://iam.{global}.{suffix}/"), global.to_owned()),
        _ => (
            format!("https://{name}.{region}.{suffix}/"),
            region.to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_follow_the_partition() {
        for (service, region, url, signed_for) in [
            (
                Service::Iam,
                "eu-west-1",
                "https://iam.amazonaws.com/",
                "us-east-1",
            ),
            (
                Service::Iam,
                "us-gov-east-1",
                "https://iam.us-gov.amazonaws.com/",
                "us-gov-west-1",
            ),
            (
                Service::Iam,
                "cn-northwest-1",
                "https://iam.cn-north-1.amazonaws.com.cn/",
                "cn-north-1",
            ),
            (
                Service::Ec2,
                "eu-west-1",
                "https://ec2.eu-west-1.amazonaws.com/",
                "eu-west-1",
            ),
            (
                Service::CloudFormation,
                "eu-west-1",
                "https://cloudformation.eu-west-1.amazonaws.com/",
                "eu-west-1",
            ),
            (
                Service::Ssm,
                "cn-north-1",
                "https://ssm.cn-north-1.amazonaws.com.cn/",
                "cn-north-1",
            ),
        ] {
            assert_eq!(
                endpoint(service, region),
                (url.to_owned(), signed_for.to_owned())
            );
        }
    }
}
