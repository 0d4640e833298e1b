//! Calls on their way to the store, and the client that makes them.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use time::OffsetDateTime;
use watchkeeper_lease::{Answer, Fence, Key, Kind, Step, Store, Trouble};

/// What a call asks for.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// Of the lease's item.
    Step(Step),
    /// Of the item that the work is about: `value` under this fence.
    Write { fence: Fence, value: usize },
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Step(Answer),
    Written(bool),
}

/// A call: made once, and done to the store any number of times.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) client: usize,
    pub(crate) request: Request,
    /// What came of it each time, and the place of that time in the order of all that was done to the store.
    pub(crate) done: Vec<(usize, Reply)>,
    /// What its client was told.
    pub(crate) told: Option<Result<Reply, Trouble>>,
    /// Its client waits for it.
    pub(crate) awaited: bool,
}

/// All calls, and for each client the place of the newest answer that it was given.
#[derive(Debug, Default)]
pub(crate) struct Network {
    pub(crate) calls: Vec<Call>,
    pub(crate) newest_answer: Vec<usize>,
}

/// One client's way to the store.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) client: usize,
    pub(crate) network: Arc<Mutex<Network>>,
}

impl Line {
    async fn call(&self, request: Request) -> Result<Reply, Trouble> {
        let id = {
            let mut network = self.network.lock().unwrap();
            let call = Call { client: self.client, request, done: Vec::new(), told: None, awaited: true };
            network.calls.push(call);
            network.calls.len() - 1
        };
        poll_fn(|_| self.network.lock().unwrap().calls[id].told.clone().map_or(Poll::Pending, Poll::Ready)).await
    }

    /// Whether the item took the value; false if somebody with a newer fence wrote it.
    pub(crate) async fn write(&self, fence: Fence, value: usize) -> Result<bool, Trouble> {
        match self.call(Request::Write { fence, value }).await? {
            Reply::Written(written) => Ok(written),
            Reply::Step(_) => unreachable!(),
        }
    }
}

impl Store for Line {
    async fn step(&self, _: &Key, step: &Step) -> Result<Answer, Trouble> {
        match self.call(Request::Step(step.clone())).await? {
            Reply::Step(answer) => Ok(answer),
            Reply::Written(_) => unreachable!(),
        }
    }

    async fn unattended(&self, _: Kind, _: OffsetDateTime) -> Result<Vec<Key>, Trouble> {
        unreachable!("the world sweeps by itself")
    }
}
