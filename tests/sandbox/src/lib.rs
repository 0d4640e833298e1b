//! The local AWS: ministack behind a front door of ours, with ECS tasks as real processes and their events.
//!
//! [`Sandbox::start`] brings everything up on loopback, [`Sandbox::stop`] (or dropping it, or killing the process) takes
//! everything down again.

pub mod aws;
pub mod bus;
mod child;
mod clock;
mod cloudformation;
pub mod console;
pub mod database_agents;
pub mod disorder;
pub mod door;
pub mod ecs;
mod ids;
pub mod inbox;
mod leftovers;
mod ministack;
mod model;
mod options;
pub mod page;
pub mod play;
pub mod postgres;
pub mod rds;
pub mod redelivery;
pub mod stack;
pub mod stage;
pub mod timeline;
mod tools;
mod watchdog;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use aws::{Aws, AwsError};
pub use bus::Bus;
pub use console::Console;
pub use disorder::Disorder;
pub use door::{Call, Door, Hook, Intervention};
pub use ecs::{Ecs, Pace};
pub use options::Options;
pub use page::Page;
pub use postgres::Postgres;
pub use rds::Rds;

use door::permission::Permissions;
use ministack::Ministack;
use model::Model;
use tools::Tools;

/// A running local AWS.
pub struct Sandbox {
    options: Options,
    aws: Aws,
    looks: Aws,
    aws_cli: PathBuf,
    disorder: Disorder,
    door: Door,
    bus: Bus,
    ecs: Ecs,
    rds: Rds,
    model: Arc<Model>,
    ministack: Ministack,
    ending: watch::Sender<bool>,
    _lock: File,
}

impl Sandbox {
    /// Provisions the tools if need be, then starts ministack, the front door and ECS. `progress` is told what happens.
    pub async fn start(options: Options, progress: impl Fn(&str)) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&options.scratch)
            .with_context(|| format!("making the run's folder {}", options.scratch.display()))?;
        let lock = leftovers::hold(&options.scratch)
            .with_context(|| format!("locking the run's folder {}", options.scratch.display()))?;
        let tools = Tools::provision(&progress).await?;
        let model = Arc::new(Model::load(&tools.ecs_model())?);

        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("finding a port for the front door")?;
        let endpoint = format!("http://{}", listener.local_addr().context("reading the front door's port")?);
        progress("starting ministack");
        let ministack = Ministack::start(&tools, &options, &endpoint).await?;

        let behind = format!("http://{}", ministack.address());
        let direct = |caller: &str| Aws::new(&behind, &options.region, caller);
        let disorder = Disorder::default();
        if let Some(plan) = options.disorder.clone() {
            disorder.set(plan)?;
        }
        let sender = Aws::new(&endpoint, &options.region, "eventbridge");
        let bus = Bus::start(direct("eventbridge"), sender, disorder.clone(), &options);
        let ecs = Ecs::start(direct("ecs"), bus.clone(), Arc::clone(&model), &options)?;
        let rds = Rds::new(direct("rds"), &options);
        let permissions = Permissions::new(direct("front-door"), ecs.clone(), &options.region, &options.account);
        let own_paths = disorder::control::router(disorder.clone()).merge(bus::native::router(bus.clone()));
        let services = (ecs.clone(), rds.clone());
        let door = Door::open(listener, ministack.address(), permissions, disorder.clone(), services, own_paths)?;
        let aws_cli = tools.write_aws_cli(&options, &endpoint)?;
        progress(&format!("the local AWS answers at {endpoint}"));

        let aws = Aws::new(&endpoint, &options.region, "root");
        let looks = Aws::new(&endpoint, &options.region, "sandbox");
        let ending = watch::Sender::new(false);
        Ok(Self { options, aws, looks, aws_cli, disorder, door, bus, ecs, rds, model, ministack, ending, _lock: lock })
    }

    /// The front door: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.door.endpoint()
    }

    /// A root client through the front door.
    #[must_use]
    pub fn aws(&self) -> &Aws {
        &self.aws
    }

    /// A root client through the front door for whoever only looks how a story gets on: no rule of disorder is about its
    /// calls unless it names the caller `sandbox`.
    #[must_use]
    pub fn looks(&self) -> &Aws {
        &self.looks
    }

    /// What goes wrong on purpose.
    #[must_use]
    pub fn disorder(&self) -> &Disorder {
        &self.disorder
    }

    /// The front door's record of calls, and the hook into them.
    #[must_use]
    pub fn door(&self) -> &Door {
        &self.door
    }

    /// The event bus: what was emitted, and delivery by hand.
    #[must_use]
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// ECS: its tasks, services and their processes.
    #[must_use]
    pub fn ecs(&self) -> &Ecs {
        &self.ecs
    }

    /// RDS: clusters with a real PostgreSQL behind them.
    #[must_use]
    pub fn rds(&self) -> &Rds {
        &self.rds
    }

    /// A script that runs the `aws` CLI against this sandbox.
    #[must_use]
    pub fn aws_cli(&self) -> &Path {
        &self.aws_cli
    }

    /// What it was started with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Where our ECS answers and events broke botocore's service model; must be empty at the end of a story.
    #[must_use]
    pub fn model_faults(&self) -> Vec<String> {
        self.model.faults()
    }

    /// Takes everything down: tasks, databases, ministack and its functions, the front door.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.end();
        self.ecs.ended().await;
        self.rds.ended().await;
        self.ministack.ended().await;
        Ok(())
    }

    /// Turns true when the sandbox ends: what was started beside it ends too.
    pub(crate) fn ending(&self) -> watch::Receiver<bool> {
        self.ending.subscribe()
    }

    fn end(&self) {
        self.ending.send_replace(true);
        self.ecs.end();
        self.rds.end();
        self.ministack.end();
        self.door.close();
        self.bus.close();
        // Left behind it would do no harm: it only names an endpoint that is gone.
        let _ = std::fs::remove_file(&self.aws_cli);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.end();
    }
}
