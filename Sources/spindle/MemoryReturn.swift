// What a process keeps of the memory that it has freed.
import CLinux

enum MemoryReturn {
    /// Gives large blocks back to the system as soon as they are freed.
    ///
    /// By itself malloc learns from the first large block that it frees to keep the next ones in its heap, where others come to lie
    /// behind them: a process that made its parameters step by step then keeps up to twice what it needs.
    static func configure() {
        let largestKeptBlock: Int32 = 256 << 10
        mallopt(M_MMAP_THRESHOLD, largestKeptBlock)
    }
}
