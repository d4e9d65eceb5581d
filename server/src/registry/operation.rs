use serde::Serialize;
use serde::de::DeserializeOwned;

/// One GraphQL operation: its text, what goes in and what comes out.
pub trait Operation {
    /// The operation's name in [`Operation::DOCUMENT`].
    const NAME: &'static str;
    /// The operation and its fragments.
    const DOCUMENT: &'static str;
    /// The `variables` of the request.
    type Variables: Serialize + Sync;
    /// The `data` of the response.
    type Data: DeserializeOwned;
}
