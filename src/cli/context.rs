//! What every command needs: the environment, its clients, and where to write.

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Common, Exit, Failure};
use crate::aws::Clients;
use crate::config::{Config, Environment, HeldLock, LOCAL, StateFolder};
use crate::interrupt::Interrupt;
use crate::report::{Event, Output, Report, Reporter, Stage};
use crate::rollout::Engine;
use crate::smoke::Token;

/// The variable that holds the bearer token for the smoke test.
pub const TOKEN_VARIABLE: &str = "QUILT_MCP_TOKEN";
/// The demo registry's public token; it opens sample data on this machine only.
const DEMO_TOKEN: &str = "qk_local_demo";

/// What every command needs.
pub struct Context {
    common: Common,
    config: Config,
    /// Whether the operator wants to go.
    pub interrupt: Interrupt,
    /// This machine's state folder.
    pub state: StateFolder,
    /// Who shows what happens.
    pub reporter: Arc<Report>,
}

impl Context {
    /// Reads the configuration.
    ///
    /// # Errors
    /// [`Failure`] when the configuration is wrong or the environment unknown.
    pub fn new(
        common: Common,
        reporter: Arc<Report>,
        interrupt: Interrupt,
    ) -> Result<Self, Failure> {
        let folder = std::env::current_dir().map_err(|error| {
            Failure::new(
                Exit::Internal,
                format!("the working folder cannot be read: {error}"),
            )
        })?;
        let config = Config::load(common.config.as_deref(), &folder)?;
        let context = Self {
            reporter,
            state: StateFolder::find(),
            interrupt,
            config,
            common,
        };
        if !context.is_local() {
            context.config.environment(&context.environment_name())?;
        }
        Ok(context)
    }

    /// How results are written.
    pub fn output(&self) -> Output {
        self.common.output
    }

    /// The chosen environment's name.
    pub fn environment_name(&self) -> String {
        self.config.choose(self.common.env.as_deref())
    }

    /// Whether the chosen environment is the built-in one.
    pub fn is_local(&self) -> bool {
        self.environment_name() == LOCAL
    }

    /// The chosen environment, with what the command line changes in it.
    ///
    /// # Errors
    /// [`Failure`] when it is unknown, or is `local` and does not run.
    pub fn environment(&self) -> Result<Environment, Failure> {
        self.environment_named(&self.environment_name())
    }

    /// The names of the configuration's environments.
    pub fn environment_names(&self) -> Vec<String> {
        self.config.names().map(str::to_owned).collect()
    }

    /// Keeps other runs on this machine from changing the chosen environment, and each other one
    /// whose images are in the same repository.
    ///
    /// # Errors
    /// As [`StateFolder::lock`].
    pub fn lock_repository(&self) -> Result<Vec<HeldLock>, Failure> {
        let chosen = self.environment()?;
        let shares = |name: &String| {
            let other = self.environment_named(name);
            *name != chosen.name && other.is_ok_and(|other| other.shares_repository(&chosen))
        };
        let others = self.environment_names().into_iter().filter(shares);
        let names = std::iter::once(chosen.name.clone()).chain(others);
        let locks = names.map(|name| self.state.lock(&name));
        Ok(locks.collect::<Result<_, _>>()?)
    }

    fn environment_named(&self, name: &str) -> Result<Environment, Failure> {
        let mut environment = if name == LOCAL {
            Environment::local(&self.state)?
        } else {
            self.config.environment(name)?.clone()
        };
        if let Some(region) = &self.common.region {
            environment.region.clone_from(region);
        }
        if let Some(profile) = &self.common.profile {
            environment.profile = Some(profile.clone());
        }
        if let Some(endpoint) = &self.common.endpoint_url {
            environment.endpoint_url = Some(endpoint.clone());
        }
        Ok(environment)
    }

    /// The chosen environment and its clients, once the credentials are seen to be for its account.
    ///
    /// # Errors
    /// [`Failure`] with exit code 13 for missing, expired or foreign credentials.
    pub async fn connect(&self) -> Result<(Environment, Clients), Failure> {
        self.connect_to(&self.environment_name()).await
    }

    /// As [`Context::connect`], for the environment of this name.
    ///
    /// # Errors
    /// [`Failure`] when it is unknown, and as [`Context::connect`].
    pub async fn connect_to(&self, name: &str) -> Result<(Environment, Clients), Failure> {
        let environment = self.environment_named(name)?;
        let clients = Clients::connect(&environment).await;
        clients.guard_account(&environment).await?;
        Ok((environment, clients))
    }

    /// What the stories of a deployment are told with.
    pub fn engine<'a>(&'a self, environment: &'a Environment, clients: &'a Clients) -> Engine<'a> {
        Engine::new(clients, environment, &*self.reporter, &self.interrupt)
    }

    /// The bearer token for the smoke test, where there is one.
    pub fn token(&self) -> Option<Token> {
        match std::env::var(TOKEN_VARIABLE) {
            Ok(token) if !token.is_empty() => Some(Token::new(token)),
            _ if self.is_local() => Some(Token::new(DEMO_TOKEN)),
            _ => None,
        }
    }

    /// Announces a stage, for [`RunningStage::finish`] to end.
    pub fn stage(&self, stage: Stage) -> RunningStage<'_> {
        self.reporter.event(Event::StageStarted { stage });
        RunningStage {
            stage,
            began: Instant::now(),
            reporter: &self.reporter,
        }
    }

    /// Writes a result to stdout: as text at once, as JSON when the command ends.
    ///
    /// # Errors
    /// [`Failure`] when stdout is closed or full.
    pub fn print<T: Serialize + Display>(&self, result: &T) -> Result<(), Failure> {
        Ok(self.reporter.print(result)?)
    }

    /// Shows a result that takes the place of the one shown before.
    ///
    /// # Errors
    /// [`Failure`] when stdout is closed or full.
    pub fn redraw<T: Serialize + Display>(&self, result: &T) -> Result<(), Failure> {
        Ok(self.reporter.redraw(result)?)
    }
}

/// A stage under way.
pub struct RunningStage<'a> {
    stage: Stage,
    began: Instant,
    reporter: &'a Report,
}

impl RunningStage<'_> {
    /// The stage ended well; answers how long it took.
    pub fn finish(self, outcome: impl Into<String>) -> Duration {
        let elapsed = self.began.elapsed();
        self.reporter.event(Event::StageFinished {
            stage: self.stage,
            elapsed,
            outcome: outcome.into(),
        });
        elapsed
    }
}
