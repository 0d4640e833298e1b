//! `cargo sandbox`: the local AWS with Watchkeeper in it, a play that shows what it does, and then an
//! endpoint to try things with until Ctrl-C.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use sandbox::disorder::command;
use sandbox::stage::Stage;
use sandbox::timeline::Timeline;
use sandbox::{Console, Options, Page, play};
use tokio::signal::unix::{SignalKind, signal};

/// Watchkeeper in a local AWS: starts, plays, stays up until Ctrl-C.
#[derive(Parser)]
#[command(name = "cargo sandbox", args_conflicts_with_subcommands = true)]
struct Arguments {
    /// End after the play, with an exit status that says whether every act went well
    #[arg(long)]
    once: bool,
    /// Do not play; just start and stay up
    #[arg(long, conflicts_with = "once")]
    no_play: bool,
    /// Put this plan of disorder in force from the beginning
    #[arg(long, value_name = "FILE")]
    disorder: Option<PathBuf>,
    #[command(subcommand)]
    other: Option<Other>,
}

#[derive(Subcommand)]
enum Other {
    /// Let things go wrong in a sandbox that runs already
    Disorder {
        /// Which sandbox, if several run: http://127.0.0.1:PORT
        #[arg(long, global = true, value_name = "URL")]
        endpoint: Option<String>,
        #[command(subcommand)]
        command: command::Command,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\ncargo sandbox failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(Other::Disorder { endpoint, command }) = &arguments.other {
        print!("{}", command.run(endpoint.as_deref()).await?);
        return Ok(());
    }
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    tokio::select! {
        result = show(arguments) => result,
        _ = interrupt.recv() => { println!("\nCtrl-C: everything is stopped"); Ok(()) }
        _ = terminate.recv() => Ok(()),
    }
}

async fn show(arguments: &Arguments) -> anyhow::Result<()> {
    let timeline = Timeline::begin();
    let disorder = arguments.disorder.as_deref().map(command::read).transpose()?;
    timeline.heading("Getting ready");
    // A crash is over as soon as the service is well, so that the play need not wait for the ten minutes of a real night.
    let options = Options { disorder, ..Options::default() }.with("CrashQuietMinutes", "0");
    let stage = Stage::set(options, |text| timeline.act(text)).await?;
    let console = Console::start(&stage.sandbox).await?;
    let (login, endpoint) = (console.login().clone(), console.endpoint());
    timeline.act(&format!(
        "a Console answers at {endpoint}/console/ScriptRunner (user {}, password {}) and {endpoint}/api/agents (token {})",
        login.user,
        login.password.reveal(),
        login.token.reveal()
    ));
    let page = Page::start(&stage.sandbox, Some(console.clone()), Some(stage.inbox.shared())).await?;
    timeline.act(&format!("watch it, and step in, at {}", page.url()));
    if !arguments.no_play {
        let outcome = play::play(&stage, &console, &timeline).await;
        if let Err(error) = outcome {
            let scratch = stage.sandbox.options().scratch.display().to_string();
            stage.stop().await?;
            return Err(error.context(format!("the play went wrong; logs are in {scratch}")));
        }
    }
    if let (false, Some(report)) = (arguments.no_play, stage.sandbox.disorder().report()) {
        timeline.heading("What went wrong on purpose");
        timeline.quote(&report.to_string());
    }
    if !arguments.once {
        timeline.heading("It stays up until Ctrl-C. Try, from another terminal:");
        let aws = stage.sandbox.aws_cli().display();
        if arguments.no_play {
            println!("    {aws} ecs create-cluster --cluster-name demo");
        } else {
            println!("    {aws} ecs list-tasks --cluster demo");
            println!("    {aws} ecs update-service --cluster demo --service agent --desired-count 3");
        }
        let log = stage.stack.output("CrashAlertsLogGroupName")?;
        println!("    {aws} logs filter-log-events --log-group-name {log} --query 'events[].message' --output text");
        println!("It runs the aws CLI against {}, with test credentials.", stage.sandbox.endpoint());
        watch(&stage, &timeline).await;
    }
    stage.stop().await
}

/// Prints each further alert and each task that stops, for as long as the inbox is read.
async fn watch(stage: &Stage, timeline: &Timeline) {
    let bus = stage.sandbox.bus();
    let (mut mails, mut events) = (stage.inbox.mails().len(), bus.emitted().len());
    // The whole text once; a service that fails again and again would fill the screen.
    let mut shown = HashSet::new();
    loop {
        tokio::select! {
            mail = stage.inbox.next(mails) => {
                let Ok(mail) = mail else { return };
                mails += 1;
                timeline.saw(&format!("ops get: {}", mail.subject));
                if shown.insert(mail.subject.clone()) {
                    timeline.quote(&mail.text);
                }
            }
            stopped = bus.next(events, play::is_stop) => {
                let (index, event) = stopped;
                events = index + 1;
                timeline.act(&play::stop_in_words(&event));
            }
        }
    }
}
