// Bounds of what the CSV reader takes.

package struct CSVLimits: Sendable {
    package var maximumFileBytes = 64 << 30
    package var maximumColumns = 100_000
    package var maximumNameBytes = 1_000
    package var maximumRowBytes = 16 << 20
    /// Memory of a loaded table.
    package var maximumLoadedBytes = 32 << 30

    package init() {}
}
