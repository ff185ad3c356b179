// spindle export: a checkpoint, its model or a job's metrics as files of other programs.
import ArgumentParser
import Foundation
import JobSpec
import Serialization
import Training

/// What `spindle export` can write: the formats of checkpoints, and a job's metrics.
enum ExportTarget: Equatable, ExpressibleByArgument {
    case checkpoint(ExportFormat)
    case tensorBoard

    static let names = ExportFormat.allCases.map(\.rawValue) + ["tensorboard"]

    init?(argument: String) {
        if argument == "tensorboard" {
            self = .tensorBoard
        } else if let format = ExportFormat(rawValue: argument) {
            self = .checkpoint(format)
        } else {
            return nil
        }
    }

    static var allValueStrings: [String] { names }
}

struct ExportCommandLine: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write a checkpoint, its model or a job's metrics for other programs.",
        discussion: """
            Takes a checkpoint's id, or a job's id with --best or --latest (the default); the server makes the file. With \
            --checkpoint and --spec it works on files, without a server.

            FORMATS
              flax-msgpack  the whole TrainState: flax.serialization.from_bytes
              safetensors   the model's variables by name (params.Dense_0.kernel): safetensors.numpy.load_file
              npz           the same, for numpy.load (params/Dense_0/kernel)
              saved_model   a folder for tf.saved_model.load and TensorFlow Serving, with a serving_default signature that takes \
            any batch size; -o NAME.tar keeps it as an archive
              onnx          for onnxruntime
              stablehlo     the model as text; its first arguments are the parameters
              tensorboard   a job's metrics: tensorboard --logdir DIR

            A saved_model of --ops stablehlo (the default) holds every model, as one operation that TensorFlow compiles; --ops native \
            uses TensorFlow's own operations, which TF Lite and TF.js need, and refuses a layer that has none by its name. The model \
            is the one that evaluations use: no dropout, running statistics. A VAE is its encoder. With --bake-transforms it takes \
            the data as it is in the dataset: standardisation, scaling, and characters as code points are part of the model.

            EXAMPLES
              spindle export job_01j… --best --format saved_model -o digits/1
              spindle export ckpt_01j… --format safetensors -o digits.safetensors
              spindle export job_01j… --format tensorboard -o runs && tensorboard --logdir runs
              spindle export --spec digits.json --dataset digits=digits.csv --checkpoint digits.msgpack --format onnx -o digits.onnx
              spindle export --checkpoint digits.msgpack --format npz -o digits.npz
            """)

    @OptionGroup var server: ServerOptions
    @Argument(help: "A checkpoint's or a job's id; none with --checkpoint.") var id: String?
    @Option(
        help: ArgumentHelp("One of the formats above.", valueName: "format"),
        transform: { name in
            guard let target = ExportTarget(argument: name) else {
                throw ValidationError(
                    "there is no format \(name)\(suggestion(for: name, among: ExportTarget.names)); there is "
                        + ExportTarget.names.joined(separator: ", "))
            }
            return target
        })
    var format: ExportTarget
    @Option(
        help: "Of a saved_model: stablehlo or native.",
        transform: { name in
            guard let operations = ExportOperations(rawValue: name) else {
                throw ValidationError("--ops is stablehlo or native, not \(name)")
            }
            return operations
        })
    var ops: ExportOperations?
    @Flag(help: "Of a model: take the data as it was before the job's transforms.")
    var bakeTransforms = false
    @Option(
        name: [.customShort("o"), .customLong("output")],
        help:
            "Where to: a file, and a folder for saved_model and tensorboard. Default: named after the checkpoint.",
        completion: .file())
    var output: String?
    @Flag(help: "Of a job: the best checkpoint by the spec's own measure.") var best = false
    @Flag(help: "Of a job: the newest checkpoint.") var latest = false
    @Option(help: "Without a server: the checkpoint, as downloaded or as Flax wrote it.", completion: .file())
    var checkpoint: String?
    @Option(
        help: "Without a server: the spec of its job, for the formats that hold the model.",
        completion: .file())
    var spec: String?
    @OptionGroup var datasets: DatasetFileOptions

    func validate() throws {
        guard (id == nil) != (checkpoint == nil) else {
            throw ValidationError("give the id of a checkpoint or job, or --checkpoint FILE")
        }
        if best, latest { throw ValidationError("--best and --latest exclude each other") }
        if checkpoint == nil, spec != nil { throw ValidationError("--spec goes with --checkpoint") }
        switch format {
        case .tensorBoard:
            guard let id, id.hasPrefix("job_") else {
                throw ValidationError("tensorboard takes a job's id: metrics are the job's")
            }
        case .checkpoint(let format):
            if ops != nil, format != .savedModel {
                throw ValidationError(
                    "--ops is for saved_model; \(format.rawValue) has no operations to choose")
            }
            if bakeTransforms, !format.isProgram {
                throw ValidationError("--bake-transforms is for models; \(format.rawValue) has none")
            }
            if checkpoint != nil, format.isProgram, spec == nil {
                throw ValidationError("\(format.rawValue) needs the model: give --spec FILE too")
            }
        }
    }

    func run() throws {
        switch format {
        case .tensorBoard: try server.run { try writeEvents($0) }
        case .checkpoint(let format):
            let options = ExportOptions(
                format: format, operations: ops ?? .stablehlo, bakesTransforms: bakeTransforms)
            if let checkpoint {
                try LocalExport(checkpoint: checkpoint, spec: spec, datasets: datasets, output: output)
                    .run(options)
            } else {
                try server.run { try download($0, options) }
            }
        }
    }

    // MARK: From the server

    private func download(_ client: ServerClient, _ options: ExportOptions) throws {
        let checkpoint = try CheckpointChoice.find(id ?? "", best: best, client)
        guard let checkpointID = checkpoint["id"]?.stringValue else {
            throw ClientFailure.badAnswer("the checkpoint has no id")
        }
        let step = checkpoint["step"]?.intValue.map { "-step-\($0)" } ?? ""
        let destination = output ?? "\(checkpointID)\(step).\(Self.ending(options.format))"
        let isFolder = options.format == .savedModel && !destination.hasSuffix(".tar")
        if isFolder, FileManager.default.fileExists(atPath: destination) {
            throw ClientFailure.local("\(destination) exists; a SavedModel is written as a new folder")
        }
        var query = [("format", options.format.rawValue)]
        if options.format == .savedModel { query.append(("ops", options.operations.rawValue)) }
        if options.format.isProgram {
            query.append(("bake_transforms", options.bakesTransforms ? "true" : "false"))
        }
        Console.status("the server makes \(options.format.rawValue) …")
        let progress = TransferProgress()
        let file = isFolder ? destination + ".tar" : destination
        let remote = try client.download(
            ServerClient.path("v1", "checkpoints", checkpointID, "content"), query: query, to: file,
            until: Date(timeIntervalSinceNow: 300), secondsUntilMade: 600
        ) { progress.show($0, of: $1) }
        if isFolder {
            defer { try? FileManager.default.removeItem(atPath: file) }
            do { try TarArchive.extract(file, to: destination) } catch {
                throw ClientFailure.local("\(destination): \(error)")
            }
        }
        Console.note("\(Readable.bytes(remote.sizeBytes)), SHA-256 verified")
        Console.output(destination)
    }

    /// A SavedModel is unpacked unless an archive is asked for.
    static func ending(_ format: ExportFormat) -> String {
        format == .savedModel ? "saved_model" : format.fileExtension
    }

    private func writeEvents(_ client: ServerClient) throws {
        let job = try client.get(ServerClient.path("v1", "jobs", id ?? ""))
        let id = JobView(job).id
        // Each run is a folder of its own: so several jobs can share one --logdir.
        let folder = (output ?? ".") + "/" + id
        let partial = folder + "/.events.part"
        var name = "events.out.tfevents.0.\(id)"
        let files = FileManager.default
        do {
            try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
            guard files.createFile(atPath: partial, contents: nil),
                let handle = FileHandle(forWritingAtPath: partial)
            else { throw ClientFailure.local("\(partial) cannot be written") }
            let request = client.request(
                "GET", ServerClient.path("v1", "jobs", id, "tensorboard"),
                headers: [(name: "Accept", value: "*/*")])
            var count: Int64 = 0
            _ = try client.send(request) { bytes, reply in
                if let given = reply.header("content-disposition").flatMap(Self.fileName) { name = given }
                try handle.write(contentsOf: Data(bytes))
                count += Int64(bytes.count)
                Console.status("\(Readable.bytes(count)) of metrics")
                return true
            }
            try handle.close()
            let place = folder + "/" + name
            if files.fileExists(atPath: place) { try files.removeItem(atPath: place) }
            try files.moveItem(atPath: partial, toPath: place)
            Console.note("tensorboard --logdir \(output ?? ".")")
            Console.output(place)
        } catch let failure as ClientFailure {
            try? files.removeItem(atPath: partial)
            throw failure
        } catch {
            try? files.removeItem(atPath: partial)
            throw ClientFailure.local("\(folder): \(error.localizedDescription)")
        }
    }

    /// The name in `attachment; filename="NAME"`, if it is a plain one.
    private static func fileName(_ disposition: String) -> String? {
        let parts = disposition.split(separator: "\"")
        guard parts.count == 2, !parts[1].contains("/"), !parts[1].hasPrefix(".") else { return nil }
        return String(parts[1])
    }
}
