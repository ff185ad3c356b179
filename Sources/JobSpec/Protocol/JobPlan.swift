// What planning a job found out without training: shapes, sizes, numbers of steps.

package struct JobPlan: Sendable, Hashable {
    package struct Module: Sendable, Hashable {
        /// "params" path of the module, joined by "/"; "" is the model itself.
        package var path: String
        package var type: String
        /// With the batch as first dimension.
        package var outputShape: [Int]
        /// Its own and those of its submodules.
        package var parameters: Int
        /// Floating-point operations of its calls in one forward pass of a batch, submodules included.
        package var operations: Int

        package init(path: String, type: String, outputShape: [Int], parameters: Int, operations: Int) {
            self.path = path
            self.type = type
            self.outputShape = outputShape
            self.parameters = parameters
            self.operations = operations
        }
    }

    package var parameterCount: Int
    package var parameterBytes: Int
    package var checkpointBytes: Int
    /// Expected peak of the worker.
    package var memoryBytes: Int
    package var stepsTotal: Int
    package var stepsPerEpoch: Int
    package var modules: [Module]

    package init(
        parameterCount: Int, parameterBytes: Int, checkpointBytes: Int, memoryBytes: Int, stepsTotal: Int,
        stepsPerEpoch: Int, modules: [Module]
    ) {
        self.parameterCount = parameterCount
        self.parameterBytes = parameterBytes
        self.checkpointBytes = checkpointBytes
        self.memoryBytes = memoryBytes
        self.stepsTotal = stepsTotal
        self.stepsPerEpoch = stepsPerEpoch
        self.modules = modules
    }
}

extension JobPlan {
    package var json: JSONValue {
        [
            "parameter_count": JSONValue(parameterCount),
            "parameter_bytes": JSONValue(parameterBytes),
            "checkpoint_bytes": JSONValue(checkpointBytes),
            "memory_bytes": JSONValue(memoryBytes),
            "steps_total": JSONValue(stepsTotal),
            "steps_per_epoch": JSONValue(stepsPerEpoch),
            "modules": .array(
                modules.map { module in
                    [
                        "path": .string(module.path), "type": .string(module.type),
                        "output_shape": JSONValue(module.outputShape),
                        "parameters": JSONValue(module.parameters),
                        "flops": JSONValue(module.operations),
                    ]
                }),
        ]
    }

    package init(json: JSONValue) throws(WorkerProtocolError) {
        let reader = try MessageReader(json, "plan")
        parameterCount = try reader.integer("parameter_count")
        parameterBytes = try reader.integer("parameter_bytes")
        checkpointBytes = try reader.integer("checkpoint_bytes")
        memoryBytes = try reader.integer("memory_bytes")
        stepsTotal = try reader.integer("steps_total")
        stepsPerEpoch = try reader.integer("steps_per_epoch")
        modules = try reader.objects("modules") { (module) throws(WorkerProtocolError) in
            Module(
                path: try module.string("path"), type: try module.string("type"),
                outputShape: try module.integers("output_shape"),
                parameters: try module.integer("parameters"), operations: try module.integer("flops"))
        }
    }
}
