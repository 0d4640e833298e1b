//! What a process has used, from /proc (the manual page proc(5), and the kernel's "Scheduler Statistics").

use std::path::Path;
use std::time::Duration;

use anyhow::Context;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Peak resident memory, in KiB (`VmHWM` of /proc/PID/status).
    pub peak_kib: u64,
    /// CPU time, user and system, of the threads that live.
    pub cpu: Duration,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let process = Path::new("/proc").join(pid.to_string());
        let status = std::fs::read_to_string(process.join("status")).context("reading the process's status")?;
        let peak_kib = peak_kib(&status).context("the process's status has no VmHWM")?;
        Ok(Self { peak_kib, cpu: cpu(&process.join("task"))? })
    }
}

/// Why `schedstat`: it counts nanoseconds, while `utime` and `stime` of /proc/PID/stat come in ticks of 10 ms, longer
/// than a whole invocation, and `wait4` speaks only once the process is over. What it costs: a thread that ended is
/// forgotten. Functions under one Runtime API answer on threads that stay.
fn cpu(threads: &Path) -> anyhow::Result<Duration> {
    let mut total = Duration::ZERO;
    for thread in std::fs::read_dir(threads).context("listing the process's threads")? {
        let thread = thread.context("listing the process's threads")?.path();
        match std::fs::read_to_string(thread.join("schedstat")) {
            Ok(text) => total += on_cpu(&text).with_context(|| format!("no number in schedstat: {text:?}"))?,
            // It ended between the list and the look.
            Err(_) if !thread.exists() => {}
            Err(error) => return Err(error).context("reading a thread's schedstat (does this kernel have it?)"),
        }
    }
    Ok(total)
}

fn peak_kib(status: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse().ok())
}

/// The first field: time on a CPU, in nanoseconds.
fn on_cpu(schedstat: &str) -> Option<Duration> {
    Some(Duration::from_nanos(schedstat.split_whitespace().next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_found_among_the_lines_of_status() {
        let status = "Name:\tfunction\nVmPeak:\t  204800 kB\nVmHWM:\t   12345 kB\nVmRSS:\t   12000 kB\n";
        assert_eq!(peak_kib(status), Some(12345));
        assert_eq!(peak_kib("Name:\tfunction\nVmRSS:\t   12000 kB\n"), None);
    }

    #[test]
    fn time_on_a_cpu_is_schedstats_first_number() {
        assert_eq!(on_cpu("66560123 51457 2\n"), Some(Duration::from_nanos(66_560_123)));
        assert_eq!(on_cpu(""), None);
        assert_eq!(on_cpu("no number"), None);
    }

    #[test]
    fn work_on_any_thread_shows() {
        let before = Usage::of(std::process::id()).unwrap();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (tell, done) = std::sync::mpsc::channel();
        let worker = std::thread::spawn(move || {
            let begin = std::time::Instant::now();
            while begin.elapsed() < Duration::from_millis(20) {
                std::hint::spin_loop();
            }
            tell.send(()).unwrap();
            let _ = wait.recv();
        });
        done.recv().unwrap();
        let after = Usage::of(std::process::id()).unwrap();
        drop(go);
        worker.join().unwrap();
        assert!(after.cpu > before.cpu, "{before:?} {after:?}");
        assert!(after.peak_kib >= before.peak_kib && before.peak_kib > 0, "{before:?} {after:?}");
    }
}
