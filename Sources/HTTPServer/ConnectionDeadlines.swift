// A connection's deadlines, looked at by the driver's sweep: no timer per connection.

extension Connection {
    func tick(now: UInt64) {
        self.now = now
        let sinceLastTick = now &- lastTickAt
        lastTickAt = now
        let deadlines = context.configuration.deadlines
        if !output.isEmpty, elapsed(since: lastOutputAt) > deadlines.writeStallSeconds {
            context.observer.rejected?(.writeStalled)
            return lost()
        }
        switch state {
        case .reading:
            if exchange != nil {
                checkBody(deadlines, sinceLastTick: sinceLastTick)
            } else if let headStartedAt {
                if elapsed(since: headStartedAt) > deadlines.headerSeconds {
                    refuse(
                        RequestRejection(
                            status: 408, code: "header_timeout",
                            detail: "The request head took longer than \(deadlines.headerSeconds) s."),
                        reason: .headerTimeout)
                    finishIfSent()
                }
            } else if output.isEmpty {
                // A connection that never sent a request is not kept alive, it is waited for.
                let allowed = exchangeCount == 0 ? deadlines.headerSeconds : deadlines.keepAliveSeconds
                if elapsed(since: idleSince) > allowed { lost() }
            }
        case .lingering:
            if elapsed(since: lingerStartedAt) > deadlines.lingerSeconds { state = .closed }
        case .waiting, .streaming, .finishing, .closed:
            break
        }
    }

    /// A body must not pause for long, and after a grace it must come at a minimum rate on the whole.
    private func checkBody(_ deadlines: ServerConfiguration.Deadlines, sinceLastTick: UInt64) {
        if uploadInFlightBytes >= context.configuration.limits.uploadWindowBytes {
            // The disk is slow, not the client.
            lastBodyByteAt = now
            bodyStartedAt &+= sinceLastTick
            return
        }
        let received = Double(exchange?.requestBodyBytes ?? 0)
        let allowed = deadlines.bodyIdleSeconds + received / deadlines.bodyMinimumBytesPerSecond
        guard
            elapsed(since: lastBodyByteAt) > deadlines.bodyIdleSeconds
                || elapsed(since: bodyStartedAt) > allowed
        else { return }
        refuse(
            RequestRejection(
                status: 408, code: "body_timeout",
                detail: "The body paused for \(deadlines.bodyIdleSeconds) s or came slower than "
                    + "\(deadlines.bodyMinimumBytesPerSecond) bytes per second."),
            reason: .bodyTimeout)
        finishIfSent()
    }

    private func elapsed(since then: UInt64) -> Double {
        now > then ? Double(now - then) / 1e9 : 0
    }
}
