//! What ops are told, and in which words.

use watchkeeper_ops::Cause;

/// The partition of the troubles in the state table.
pub const TROUBLES: &str = "config-trouble";

/// A document is not kept in step.
pub const DOCUMENT: Cause = Cause {
    word: "config-trouble",
    severity: "error",
    begun: "is not kept in step with its sources",
    over: "is kept in step with its sources again",
    next: "Until this is mended the document stays as it is. Then it is brought in step by itself, within a minute.",
};

/// The database refuses a new credential.
pub const LOGIN: Cause = Cause {
    word: "login-failed",
    severity: "error",
    begun: "keeps its old credential: the database does not let the new one in",
    over: "has a credential that the database lets in",
    next: "Look at the database's users, its security group and the secret that the credential comes from. It is tried again each \
           minute; agents that run go on as long as the old credential is good.",
};

/// Values differ and are left so.
pub const DRIFT: Cause = Cause {
    word: "config-drift",
    severity: "warning",
    begun: "differs from its sources and is left so, as declared",
    over: "agrees with its sources again",
    next: "Change it by hand, or have it repaired: OnDrift: repair, and Mode: act.",
};

/// A source is unwell.
pub const SOURCE: Cause = Cause {
    word: "source-impaired",
    severity: "error",
    begun: "has a source that cannot be rotated",
    over: "has sources that can be rotated again",
    next: "RDS could not rotate the master password: look at the cluster's events, and at the key and the policies of its secret.",
};

/// A rotation failed.
pub const ROTATION: Cause = Cause {
    word: "rotation-failed",
    severity: "error",
    begun: "was not rotated: its rotation failed",
    over: "has a new version",
    next: "Secrets Manager tries again by its schedule. Look at the rotation function's log, or at the cluster's events where RDS \
           rotates it.",
};

/// A service does not run on what the document says.
pub const ROLLOUT: Cause = Cause {
    word: "rollout-failed",
    severity: "error",
    begun: "has changed, and not every service that reads it runs on that",
    over: "is what every service that reads it runs on",
    next: "Restart these services, or mend what stops them: for this version they are not tried again. The old configuration is not \
           put back, as its credential may be dead.",
};

/// A change has reached every service.
pub const DONE: Cause = Cause {
    word: "config-followed",
    severity: "info",
    begun: "",
    over: "has changed, and every service that reads it runs on that",
    next: "",
};

/// A change is written, and not every reader is restarted, as declared.
pub const CHANGED: Cause =
    Cause { over: "has changed; not every service that reads it is restarted, as declared", ..DONE };
