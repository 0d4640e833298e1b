//! What a process has used, from /proc.

use anyhow::Context;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Peak resident memory, in KiB (`VmHWM` of /proc/PID/status).
    pub peak_kib: u64,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("reading the process's status")?;
        let peak_kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse().ok())
            .context("the process's status has no VmHWM")?;
        Ok(Self { peak_kib })
    }
}
