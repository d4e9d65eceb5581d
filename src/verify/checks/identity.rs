//! Who asks, and in which account.

use crate::verify::{Check, Facts};

pub(in crate::verify) fn checks(facts: &Facts) -> Vec<Check> {
    let caller = &facts.caller;
    let name = "credentials and account";
    let is_root = caller.arn.ends_with(":root");
    vec![if is_root {
        Check::warning(
            name,
            format!("account {}, as its root user", caller.account_id),
            "use a role: the root user's keys cannot be limited",
        )
    } else {
        Check::ok(
            name,
            format!("account {}, as {}", caller.account_id, caller.arn),
        )
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::CheckOutcome;
    use crate::verify::checks::example::facts;

    #[test]
    fn the_root_user_is_warned_of() {
        let mut facts = facts();
        assert_eq!(checks(&facts)[0].outcome, CheckOutcome::Ok);
        facts.caller.arn = "arn:aws:iam::123456789012:root".into();
        assert_eq!(checks(&facts)[0].outcome, CheckOutcome::Warning);
    }
}
