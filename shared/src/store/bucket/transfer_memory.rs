//! The memory of all transfers of the process: parts and small files on the way to buckets, and buffers of downloads.

use std::sync::{Arc, OnceLock};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes by default.
pub const TRANSFER_MEMORY: u64 = 128 << 20;

/// Bytes of a permit: permits are counted in 32 bits.
const GRAIN: u64 = 1024;

static OF_PROCESS: OnceLock<TransferMemory> = OnceLock::new();

/// Bounds the bytes that transfers hold at the same time. Clones share the bound.
#[derive(Clone, Debug)]
pub(super) struct TransferMemory {
    free: Arc<Semaphore>,
    permits: u32,
}

/// Memory in use by a transfer, until dropped.
#[derive(Debug)]
pub(super) struct MemoryShare {
    _permits: Option<OwnedSemaphorePermit>,
}

/// Bounds the memory of all transfers of the process to `bytes`; only before the first bucket is opened, and once.
pub fn bound_transfer_memory(bytes: u64) {
    // Only a second call finds a bound, and the first one counts.
    let _ = OF_PROCESS.set(TransferMemory::of(bytes));
}

impl TransferMemory {
    /// The memory of the process.
    pub(super) fn of_process() -> Self {
        let by_default = || Self::of(TRANSFER_MEMORY);
        OF_PROCESS.get_or_init(by_default).clone()
    }

    /// A new bound.
    pub(super) fn of(bytes: u64) -> Self {
        let permits = permits(bytes);
        Self {
            free: Arc::new(Semaphore::new(permits as usize)),
            permits,
        }
    }

    /// Waits until `bytes` are free; a transfer that needs more than there is waits for all. To avoid deadlocks, a transfer
    /// waits only while all its shares are with requests under way.
    pub(super) async fn share(&self, bytes: u64) -> MemoryShare {
        let wanted = permits(bytes).min(self.permits);
        let acquired = Arc::clone(&self.free).acquire_many_owned(wanted).await;
        // The semaphore is never closed.
        MemoryShare {
            _permits: acquired.ok(),
        }
    }
}

/// At least one: nothing goes without memory.
fn permits(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(GRAIN))
        .unwrap_or(u32::MAX)
        .clamp(1, u32::MAX >> 3)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn transfers_share_the_memory_and_the_largest_gets_all_of_it() {
        let memory = TransferMemory::of(10 * GRAIN);
        let soon = Duration::from_secs(1);
        let first = memory.share(6 * GRAIN).await;
        assert!(timeout(soon, memory.share(5 * GRAIN)).await.is_err());
        let second = memory.share(4 * GRAIN).await;
        assert!(timeout(soon, memory.share(1)).await.is_err());
        drop((first, second));
        let all = timeout(soon, memory.share(u64::MAX)).await.unwrap();
        assert!(timeout(soon, memory.share(0)).await.is_err());
        drop(all);
    }
}
