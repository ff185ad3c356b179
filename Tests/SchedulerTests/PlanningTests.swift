// Plans by the spare worker, and spares that die over them.

import JobSpec
import Store
import Testing

@testable import Scheduler

@Suite(.timeLimit(.minutes(2))) struct PlanningTests {
    @Test("A plan comes from the warm worker, which then still runs a job")
    func planned() async throws {
        let server = try await Server()
        let plan = try await server.scheduler.plan(effectiveSpec: Server.spec("success"))
        #expect(plan.stepsTotal == 4 && plan.parameterCount == 10)
        _ = try await server.wait(server.submit("success").id, .succeeded)
        #expect(server.scheduler.metrics.workerExits[.idle] == nil)
        await server.remove()
    }

    @Test("A spec that cannot run gives its problems")
    func refused() async throws {
        let server = try await Server()
        await #expect(
            throws: SpecErrors(problems: [
                SpecProblem(code: "shape_mismatch", pointer: "#/model", detail: "no")
            ])
        ) { _ = try await server.scheduler.plan(effectiveSpec: Server.spec("plan-fail")) }
        await server.remove()
    }

    @Test("A planner that dies is replaced: the spec it died over gets an error, the others their plan")
    func plannerDies() async throws {
        let server = try await Server()
        _ = try await server.scheduler.plan(effectiveSpec: Server.spec("success"))
        let bad = Task { try await server.scheduler.plan(effectiveSpec: Server.spec("plan-crash")) }
        let good = Task { try await server.scheduler.plan(effectiveSpec: Server.spec("success")) }
        await #expect(
            performing: { _ = try await bad.value },
            throws: { error in
                guard case SchedulerError.plannerFailed(let detail) = error else { return false }
                return detail.contains("signal 9") && detail.contains("planning made me ill")
            })
        #expect(try await good.value.parameterCount == 10)
        await server.remove()
    }

    @Test("A planner that does not answer is killed and replaced")
    func plannerHangs() async throws {
        let server = try await Server { $0.planTimeoutSeconds = 1.5 }
        await #expect(throws: SchedulerError.plannerTimedOut(seconds: 1.5)) {
            _ = try await server.scheduler.plan(effectiveSpec: Server.spec("plan-hang"))
        }
        let plan = try await server.scheduler.plan(effectiveSpec: Server.spec("success"))
        #expect(plan.parameterCount == 10)
        await server.remove()
    }

    @Test("A worker that cannot be started is an error for plans, and jobs wait without losing attempts")
    func unstartable() async throws {
        let server = try await Server { $0.worker = WorkerLaunch(path: "/nonexistent/worker", arguments: []) }
        await #expect(
            performing: { _ = try await server.scheduler.plan(effectiveSpec: Server.spec("success")) },
            throws: { if case SchedulerError.plannerFailed = $0 { true } else { false } })
        let job = try await server.submit("success")
        #expect(try await server.store.job(id: job.id).state == .queued)
        await server.remove()
    }

    @Test(
        "Datasets are pinned to their digest, and an unknown one is a problem with its place and a near miss")
    func pinning() async throws {
        let server = try await Server()
        let spec: JSONValue = ["data": ["train": ["dataset": "digits"]]]
        await #expect(
            performing: { _ = try await DatasetPinning.pin(spec, in: server.store) },
            throws: { error in
                let problem = (error as? SpecErrors)?.problems.first
                return problem?.code == "dataset_not_found" && problem?.pointer == "#/data/train/dataset"
            })
        await server.remove()
    }
}
