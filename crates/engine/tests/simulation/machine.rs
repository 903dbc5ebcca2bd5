//! A process of the simulation: a tokio runtime of its own on a thread of its own, whose clock stands still until it is
//! moved. Killed, it is gone at whatever its tasks were waiting for, without a word to anybody.

use futures::future::BoxFuture;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Nothing that a machine is asked for takes longer than this, in real time, however busy the computer is.
pub const STUCK: Duration = Duration::from_secs(120);

type Work = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

enum Command {
    /// Time passes; the answer comes when the runtime knows.
    Move(Duration, mpsc::Sender<()>),
    /// Does something in a task of its own.
    Do(Work),
    /// Stands still, as a process that got SIGSTOP does, until it is told how long that was.
    Freeze(mpsc::Receiver<Duration>),
}

/// How often a runtime had nothing to do, and whether it has nothing to do now.
#[derive(Debug, Default)]
struct Rest {
    times: AtomicU64,
    rests: AtomicBool,
}

/// A runtime that lives in simulated time.
pub struct Machine {
    rest: Arc<Rest>,
    commands: Option<UnboundedSender<Command>>,
    thread: Option<JoinHandle<()>>,
    frozen: Option<mpsc::Sender<Duration>>,
}

impl Machine {
    /// Starts one.
    pub fn start(name: &str) -> Self {
        let (commands, told) = unbounded_channel();
        let rest = Arc::new(Rest::default());
        let of_thread = rest.clone();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || live(told, &of_thread));
        let thread = Some(thread.expect("a thread can be had"));
        Self { rest, commands: Some(commands), thread, frozen: None }
    }

    /// How often it has had nothing to do until now, when that is so at this moment. Two answers that are the same say that
    /// nothing happened between them.
    pub fn rests(&self) -> Option<u64> {
        if self.is_frozen() {
            return Some(0);
        }
        self.rest.rests.load(Ordering::SeqCst).then(|| self.rest.times.load(Ordering::SeqCst))
    }

    fn tell(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // One that has died does not hear; whoever waits for its answer notices.
            let _ = commands.send(command);
        }
    }

    /// Lets time pass. What is due begins; whoever needs it to go on waits a moment. Nothing, while it is frozen.
    pub fn moves(&self, by: Duration) -> Option<mpsc::Receiver<()>> {
        if self.is_frozen() {
            return None;
        }
        let (sender, done) = mpsc::channel();
        self.tell(Command::Move(by, sender));
        Some(done)
    }

    /// Does something in a task, and gives where its result arrives.
    pub fn ask<T, F>(&self, work: impl FnOnce() -> F + Send + 'static) -> mpsc::Receiver<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (sender, answer) = mpsc::channel();
        let work = move || -> BoxFuture<'static, ()> {
            Box::pin(async move {
                let result = work().await;
                // Nobody may be waiting any more.
                let _ = sender.send(result);
            })
        };
        self.tell(Command::Do(Box::new(work)));
        answer
    }

    /// Stops every task where it is, for as long as it is not thawed.
    pub fn freeze(&mut self) {
        let (until, thawed) = mpsc::channel();
        self.tell(Command::Freeze(thawed));
        self.frozen = Some(until);
    }

    /// Whether it is frozen.
    pub fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// Lets it go on. So much time has passed meanwhile; it knows before any of its tasks does anything.
    pub fn thaw(&mut self, passed: Duration) {
        if let Some(until) = self.frozen.take() {
            let _ = until.send(passed);
        }
    }
}

impl Drop for Machine {
    /// Kills it.
    fn drop(&mut self) {
        self.commands = None;
        self.frozen = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("a simulated process panicked outside of its tasks");
        }
    }
}

fn live(mut told: UnboundedReceiver<Command>, rest: &Arc<Rest>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let (begins, ends) = (rest.clone(), rest.clone());
    runtime.enable_all().start_paused(true);
    runtime.on_thread_park(move || {
        begins.times.fetch_add(1, Ordering::SeqCst);
        begins.rests.store(true, Ordering::SeqCst);
    });
    runtime.on_thread_unpark(move || ends.rests.store(false, Ordering::SeqCst));
    let runtime = runtime.build().expect("a runtime can be made");
    let (death, until_death) = mpsc::channel::<()>();
    runtime.block_on(async move {
        // As long as a blocking task is under way, tokio does not move a paused clock by itself. Files, sockets and
        // programs take real time; time passes when the simulation says so.
        let _kept = tokio::task::spawn_blocking(move || until_death.recv());
        while let Some(command) = told.recv().await {
            match command {
                Command::Move(by, done) => {
                    tokio::time::advance(by).await;
                    let _ = done.send(());
                }
                Command::Do(work) => drop(tokio::spawn(work())),
                // The thread itself waits, so that nothing of this runtime is polled.
                Command::Freeze(thawed) => {
                    if let Ok(passed) = thawed.recv() {
                        tokio::time::advance(passed).await;
                    }
                }
            }
        }
    });
    // Drops all tasks, wherever they are, and waits for no thread that computes.
    runtime.shutdown_background();
    drop(death);
}
