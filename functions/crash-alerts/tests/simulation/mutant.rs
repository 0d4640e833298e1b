//! Rules that are a little wrong.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mutant {
    #[default]
    None,
    /// Which faults were seen is not known, and nobody asks.
    Forgetful,
    /// Two may send for an incident at once.
    LeaseIgnored,
    /// An incident is written whatever it is by then.
    StaleWrite,
    /// That a message was sent is not noted.
    SuccessForgotten,
    /// Once one message was sent, the others of the incident are taken for sent.
    OutboxCleared,
    /// The desk is written apart from the incident, and where somebody else was quicker it is not.
    DeskApart,
    /// The faults are noted apart from the incident, which may be overtaken.
    FaultsApart,
    /// What is over and what is not are told at the same time, and do not see each other.
    RestUnwatched,
    /// Nobody knows how urgent a speaker is: anything may be silent behind anything.
    SpeakersLookUrgent,
    /// Ops are taken to have heard the worst already.
    HeardTheWorst,
    /// Of what is over nothing is known but since when.
    PastForgotten,
    /// Events alone are relied on.
    SweepDoesNothing,
}
