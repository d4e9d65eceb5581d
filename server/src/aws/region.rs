use std::fmt;

/// An AWS region's name, checked: it becomes a part of host names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Region(String);

impl Region {
    /// Reads a name such as `eu-west-1`.
    ///
    /// # Errors
    /// With a phrase that says what is wrong.
    pub fn parse(value: &str) -> Result<Self, String> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (5..=32).contains(&value.len())
            && value.bytes().all(allowed)
            && value.starts_with(|first: char| first.is_ascii_lowercase())
            && value.ends_with(|last: char| last.is_ascii_digit());
        if fits {
            Ok(Self(value.to_owned()))
        } else {
            Err("is not the name of an AWS region such as eu-west-1".to_owned())
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The DNS suffix of the region's partition
    /// (<https://docs.aws.amazon.com/general/latest/gr/rande.html>).
    pub fn dns_suffix(&self) -> &'static str {
        if self.0.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        }
    }
}

/// Where S3's oldest buckets are, and what AWS's own tools fall back to.
impl Default for Region {
    fn default() -> Self {
        Self("us-east-1".to_owned())
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_a_region_becomes_part_of_a_host() {
        for name in ["us-east-1", "eu-west-3", "us-gov-west-1", "cn-north-1"] {
            assert!(Region::parse(name).is_ok(), "{name}");
        }
        for name in [
            "",
            "x",
            "eu west 1",
            "evil.example/1",
            "eu-west-1.evil",
            "EU-WEST-1",
            "-eu-west-1",
            "eu-west-1@x1",
            "eu-west-1:1",
            "eu-west-1#1",
        ] {
            assert!(Region::parse(name).is_err(), "{name}");
        }
        assert_eq!(
            Region::parse("cn-north-1").unwrap().dns_suffix(),
            "amazonaws.com.cn"
        );
    }
}
