//! The memory that Argon2 fills: taken once and lent to one hash after another, because asking the
//! system for it anew costs a tenth of a hash, and given back when nobody signs in.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use argon2::Block;

/// What is reserved for a hash at the least, in blocks of 1 KiB. Only what is used is real. The
/// allocator maps what is larger than 32 MiB by itself, so that freeing it gives it back to the
/// system; of anything smaller it would keep a part for ever.
const RESERVED: usize = 33 << 10;

/// As much as hashes were made at once.
#[derive(Default)]
pub(super) struct Memory {
    free: Mutex<Vec<Vec<Block>>>,
    used: AtomicBool,
}

impl Memory {
    /// Lends `blocks` blocks; what stands in them is what a hash before left there.
    pub(super) fn lend<T>(&self, blocks: usize, work: impl FnOnce(&mut [Block]) -> T) -> T {
        self.used.store(true, Ordering::Relaxed);
        let mut memory = self.pop().unwrap_or_default();
        if memory.capacity() < blocks {
            memory = Vec::with_capacity(blocks.max(RESERVED));
        }
        if memory.len() < blocks {
            memory.resize(blocks, Block::default());
        }
        let done = work(&mut memory[..blocks]);
        self.push(memory);
        done
    }

    /// Gives everything back that is not lent, when nothing was since the last call.
    pub(super) fn rest(&self) {
        if !self.used.swap(false, Ordering::Relaxed) {
            let free = std::mem::take(&mut *self.lock());
            drop(free);
        }
    }

    fn pop(&self) -> Option<Vec<Block>> {
        self.lock().pop()
    }

    fn push(&self, memory: Vec<Block>) {
        self.lock().push(memory);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<Block>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_lent_again_and_given_back_after_a_rest() {
        let memory = Memory::default();
        let first = memory.lend(16, |blocks| {
            assert_eq!(blocks.len(), 16);
            blocks.as_ptr()
        });
        assert_eq!(first, memory.lend(8, |blocks| blocks.as_ptr()));
        memory.rest();
        assert_eq!(memory.lock().len(), 1, "it was used since the last rest");
        memory.rest();
        assert_eq!(memory.lock().len(), 0);
        memory.lend(40 << 10, |blocks| assert_eq!(blocks.len(), 40 << 10));
    }
}
