// What the recovery pass found when the server started, and what it did about it.

package struct RecoveryReport: Sendable, Hashable {
    /// The last server did not stop in order.
    package var wasUnclean = false
    package var leftoverWorkersKilled = 0
    package var attemptsClosed = 0
    package var requeued: [String] = []
    package var paused: [String] = []
    package var cancelled: [String] = []
    package var checkpointsVerified = 0
    package var checkpointsCorrupt = 0
    package var deletionsFinished = 0
    package var temporaryFilesRemoved = 0
    package var seconds: Double = 0

    package init() {}
}
