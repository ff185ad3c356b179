// Starting from the values of a checkpoint: a Flax TrainState, ours or one that Flax has saved.
import Datasets
import Glibc
import JobSpec
import Optax
import OrderedCollections
import Serialization
import TensorEngine

/// The values of a checkpoint that a job starts from.
struct Initialization {
    private let spec: InitSpec
    private let file: StateDict

    /// Nil for a spec without `init`.
    ///
    /// - Throws: `SpecErrors` where there is no such file, or not one that Flax writes.
    init?(_ spec: JobSpec, _ datasets: OrderedDictionary<String, DatasetLocation>) throws {
        guard let initial = spec.initial else { return nil }
        self.spec = initial
        guard let location = datasets[initial.checkpoint.description] else {
            throw Initialization.problem("the checkpoint \(initial.checkpoint) was not given to the worker")
        }
        guard location.format == "flax" else {
            throw Initialization.problem(
                "\(initial.checkpoint.name) is a \(location.format) file, not a checkpoint")
        }
        do {
            file = try msgpackRestore(try Initialization.bytes(location.path))
        } catch {
            throw Initialization.problem("\(initial.checkpoint) cannot be read: \(error)")
        }
    }

    /// The state with the parts of the checkpoint that the spec asks for; everything else stays as it is.
    ///
    /// - Throws: `SpecErrors` naming the values that are missing, that nothing takes, or that have another shape or type.
    func applied(to state: TrainState) throws -> TrainState {
        var given: [String: StateDict] = [:]
        let parameters = Set((file["params"] ?? .none).leavesWithPaths().map(\.path))
        for part in spec.load {
            guard let value = file[part] else {
                throw Initialization.problem(
                    "the checkpoint has no \"\(part)\"; it has \((file.entries ?? []).map(\.key.description).joined(separator: ", "))"
                )
            }
            // Rules are about the paths inside of a part, as those of masks are.
            for (inner, value) in value.leavesWithPaths() {
                let renamed =
                    part == "opt_state"
                    ? spec.renamedInState(inner, parameters: parameters) : spec.renamed(inner)
                given[inner.isEmpty ? part : part + "/" + renamed] = value
            }
        }
        var missing: [String] = []
        var leaves: [Tensor] = []
        for (path, tensor) in state.tree.leavesWithPaths() {
            guard spec.load.contains(where: { path == $0 || path.hasPrefix($0 + "/") }) else {
                leaves.append(tensor)
                continue
            }
            guard let value = given.removeValue(forKey: path) else {
                missing.append(path)
                leaves.append(tensor)
                continue
            }
            leaves.append(try Initialization.tensor(value, like: tensor, path))
        }
        let unused = given.keys.sorted()
        if spec.strict, !missing.isEmpty || !unused.isEmpty {
            var parts: [String] = []
            if !missing.isEmpty { parts.append("it lacks \(Initialization.list(missing))") }
            if !unused.isEmpty { parts.append("nothing takes its \(Initialization.list(unused))") }
            throw Initialization.problem(
                "the checkpoint is another model's: \(parts.joined(separator: ", and ")); rename with map, or set strict to false"
            )
        }
        return try state.replacingLeaves(leaves)
    }

    private static func tensor(_ value: StateDict, like tensor: Tensor, _ path: String) throws -> Tensor {
        let found: Tensor? =
            switch value {
            // Flax writes a step that is a Python number as such.
            case .int(let number): try full([], Double(number), dtype: tensor.dtype)
            case .float(let number): try full([], number, dtype: tensor.dtype)
            case .bool(let flag): try full([], flag ? 1 : 0, dtype: tensor.dtype)
            default: try Tree.tensor(tensor).replacingState(value).tensor
            }
        guard let found, found.shape == tensor.shape else {
            throw problem(
                "\(path) is \(found.map { "\($0.shape)" } ?? "no array") in the checkpoint and \(tensor.shape) in the model"
            )
        }
        return try found.astype(tensor.dtype)
    }

    private static func list(_ paths: [String]) -> String {
        paths.prefix(8).joined(separator: ", ") + (paths.count > 8 ? " and \(paths.count - 8) more" : "")
    }

    private static func problem(_ detail: String) -> SpecErrors {
        SpecErrors(problems: [SpecProblem(code: "conflict", pointer: "#/init", detail: detail)])
    }

    private static func bytes(_ path: String) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw CheckpointError.system(call: "open", path: path, errno: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw CheckpointError.system(call: "fstat", path: path, errno: errno)
        }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes {
                read(descriptor, $0.baseAddress.map { $0 + filled }, $0.count - filled)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw CheckpointError.system(call: "read", path: path, errno: errno) }
            filled += count
        }
        return bytes
    }
}
