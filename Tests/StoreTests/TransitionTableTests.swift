// The state machine as a value: its rules, and histories of random triggers.

import Testing

@testable import Store

@Suite struct TransitionTableTests {
    let table = TransitionTable.standard

    @Test("No pair of state and trigger has two destinations, and no rule leads nowhere")
    func deterministic() {
        var seen: Set<[String]> = []
        for rule in table.rules {
            #expect(seen.insert([rule.from.rawValue, rule.trigger.rawValue]).inserted)
            #expect(table.destination(from: rule.from, on: rule.trigger) == rule.to)
        }
    }

    @Test("A job that has ended moves only by an explicit retry, and one that succeeded not at all (I1)")
    func terminalStatesAreFinal() {
        for state in JobState.allCases where state.isTerminal {
            let ways = TransitionTrigger.allCases.filter { table.destination(from: state, on: $0) != nil }
            #expect(ways == (state == .succeeded ? [] : [.retryRequested]))
        }
    }

    @Test(
        "However an attempt ends, its job holds no worker after; and only attempts can end (I2)"
    )
    func attemptsEnd() {
        let ends: [TransitionTrigger] = [.stopped, .finished, .attemptFailed, .attemptLost, .interrupted]
        for state in JobState.allCases {
            for trigger in ends {
                let to = table.destination(from: state, on: trigger)
                if state.holdsWorker {
                    #expect(to.map { !$0.holdsWorker } == true, "\(state) on \(trigger)")
                } else {
                    #expect(to == nil, "\(state) on \(trigger)")
                }
            }
        }
    }

    @Test(
        "Pausing and cancelling are honoured however the attempt ends, unless it ended first (I9)"
    )
    func wishesAreHonoured() {
        for trigger in [TransitionTrigger.stopped, .attemptLost, .interrupted] {
            #expect(table.destination(from: .pausing, on: trigger) == .paused)
            #expect(table.destination(from: .cancelling, on: trigger) == .cancelled)
        }
        for state in [JobState.pausing, .cancelling] {
            #expect(table.destination(from: state, on: .finished) == .succeeded)
            #expect(table.destination(from: state, on: .attemptFailed) == .failed)
        }
    }

    @Test("Every state is reachable, and from every state some history ends the job")
    func connected() {
        func reachable(from start: JobState) -> Set<JobState> {
            var found: Set = [start]
            var work = [start]
            while let state = work.popLast() {
                for rule in table.rules where rule.from == state && found.insert(rule.to).inserted {
                    work.append(rule.to)
                }
            }
            return found
        }
        #expect(reachable(from: .queued) == Set(JobState.allCases))
        for state in JobState.allCases { #expect(reachable(from: state).contains { $0.isTerminal }) }
    }

    @Test("Allowed actions are those whose trigger has a destination; deletion is for what has ended")
    func allowedActions() {
        #expect(table.allowedActions(in: .queued) == [.pause, .cancel])
        #expect(table.allowedActions(in: .running) == [.pause, .cancel])
        #expect(table.allowedActions(in: .pausing) == [.cancel])
        #expect(table.allowedActions(in: .paused) == [.resume, .cancel])
        #expect(table.allowedActions(in: .cancelling) == [])
        #expect(table.allowedActions(in: .succeeded) == [.delete])
        #expect(table.allowedActions(in: .failed) == [.retry, .delete])
    }

    @Test(
        "In random histories refused triggers change nothing, and events fold to the row (I1, I3)"
    )
    func randomHistories() async throws {
        let fixture = try Fixture()
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20 {
            let id = try await fixture.insert(Fixture.job()).id
            for _ in 0..<25 {
                let trigger = TransitionTrigger.allCases.randomElement(using: &random) ?? .schedule
                let before = try await fixture.store.job(id: id)
                do {
                    let after = try await fixture.move(id, trigger)
                    #expect(after.state == table.destination(from: before.state, on: trigger))
                } catch StoreError.conflict {
                    #expect(table.destination(from: before.state, on: trigger) == nil)
                    #expect(try await fixture.store.job(id: id) == before)
                }
            }
            let job = try await fixture.store.job(id: id)
            let events = try await fixture.store.events(of: job, afterNumber: 0, limit: 1000)
            #expect(events.map(\.number) == Array(1...Int64(events.count)))
            #expect(job.eventCount == Int64(events.count) && job.lastSequence == events.last?.sequence)
            var state = JobState.queued
            for event in events where event.kind == .state {
                #expect(event.data["from"]?.stringValue == state.rawValue)
                state = JobState(rawValue: event.data["to"]?.stringValue ?? "") ?? state
            }
            #expect(state == job.state)
        }
        let all = try await fixture.store.events(after: 0, limit: 100_000)
        #expect(all.map(\.sequence) == Array(1...Int64(all.count)))
        await fixture.remove()
    }
}
