// State dicts and arrays as files of their own: written through a hash, one array in memory at a time, synced.

/// What a checkpoint's values can be written as.
package enum StateFile {
    /// Writes a new file that `flax.serialization` reads.
    ///
    /// - Throws: `CheckpointError` where the file exists or cannot be written, `SerializationError` for a state that Flax cannot have.
    package static func writeMessagePack(_ state: StateDict, to path: String) throws -> FileSummary {
        try write(to: path) { _ = try encode(try state.proper(), into: $0, defaultMaximumChunkBytes) }
    }

    /// Writes a new safetensors file.
    package static func writeSafeTensors(
        _ arrays: NamedArrays, metadata: [String: String], to path: String
    ) throws -> FileSummary {
        try write(to: path) { sink in
            var sink = sink
            try Serialization.writeSafeTensors(arrays, metadata: metadata, into: &sink)
        }
    }

    /// Writes a new npz file.
    package static func writeNPZ(_ arrays: NamedArrays, to path: String) throws -> FileSummary {
        try write(to: path) { sink in
            var sink = sink
            try Serialization.writeNPZ(arrays, into: &sink)
        }
    }

    /// Writes a new text file.
    package static func writeText(_ text: String, to path: String) throws -> FileSummary {
        try write(to: path) { sink in
            var sink = sink
            try sink.write(Array(text.utf8))
        }
    }

    private static func write(
        to path: String, _ body: (CheckpointFileSink) throws -> Void
    ) throws -> FileSummary {
        let file = try CheckpointFile(creating: path)
        try body(CheckpointFileSink(file: file))
        return try file.finish()
    }
}
