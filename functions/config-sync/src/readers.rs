//! Which services read which documents: an index in the state table, kept up at a pace that leaves ECS's limits to others.
