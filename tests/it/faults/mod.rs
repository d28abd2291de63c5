//! What the server stands on fails: the process is killed, the disk is full or cannot be written, the
//! database is damaged, gone or slow. Answers are the promised ones, no verdict is wrong, and when the
//! fault is over the server goes on by itself.

mod cluster;
mod damage;
mod database;
mod disk;
mod kill;
mod proxy;
mod served;
mod trace;
