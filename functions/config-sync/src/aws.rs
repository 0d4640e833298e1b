//! What speaks with AWS, and with databases.
