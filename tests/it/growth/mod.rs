//! What grows, what does not, and the work that keeps it so.

mod backfill;
mod cleaner;
mod year;
