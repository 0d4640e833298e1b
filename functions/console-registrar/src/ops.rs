//! What ops are told: that a registry is in trouble, or an agent's name is taken, and when that is over.

use watchkeeper_ops::Cause;

/// The partition of the troubles in the state table.
pub const TROUBLES: &str = "registry-trouble";

/// A registry does not answer.
pub const REGISTRY: Cause = Cause {
    word: "registry-unavailable",
    severity: "error",
    begun: "does not answer, its agents are not registered",
    over: "answers again",
    next: "Nothing is lost: the entries are brought in step as soon as the registry answers, within a minute. If it stays so, look \
           whether it runs, and whether its security group lets console-registrar in.",
};

/// A declaration cannot be kept up.
pub const DECLARATION: Cause = Cause {
    word: "registration-trouble",
    severity: "error",
    begun: "its agents are not registered as declared",
    over: "its agents are registered as declared",
    next: "Until this is mended the entries stay as they are. Then they are brought in step by themselves, within a few minutes.",
};
