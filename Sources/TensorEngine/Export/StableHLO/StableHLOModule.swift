// Programs as StableHLO modules.

extension Program {
    /// The program as a StableHLO module in text form, for XLA and what reads its programs: PJRT plugins, TensorFlow's
    /// XlaCallModule. Its function `main` takes the inputs and gives the outputs in their order; constants are in the text.
    ///
    /// - Parameters:
    ///   - name: the module's name: letters, digits, `_`.
    ///   - inputNames: what the inputs are, such as `params/Dense_0/kernel`; comments in the text.
    /// - Throws: for an operation without a form in StableHLO (forward mode of a function with `customVJP`), with its name.
    public func stableHLO(name: String = "program", inputNames: [String] = []) throws -> String {
        try BatchPolymorphicProgram(self).stableHLO(name: name, inputNames: inputNames)
    }
}

extension BatchPolymorphicProgram {
    /// The program as a StableHLO module in text form, whose dimensions that depend on the batch size are `?` (see
    /// `Program.stableHLO`). The module has the attribute `jax.uses_shape_polymorphism`: readers refine it to the shapes of the
    /// arguments, as they do with modules of jax.export.
    public func stableHLO(name: String = "program", inputNames: [String] = []) throws -> String {
        let allowed = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_".utf8)
        guard name.utf8.allSatisfy(allowed.contains), name.first?.isNumber == false else {
            throw TensorError(
                .argument, "stableHLO", expected: "a module name of letters, digits and _", got: "'\(name)'")
        }
        let arguments = program.inputs.enumerated().map { k, variable in
            StableHLOValue(
                name: "%arg\(k)",
                type: StableHLOType(program.type(of: variable).dtype, dimensions(of: variable)))
        }
        var writer = StableHLOWriter(batchSizes: tracedBatchSizes, depth: 2)
        if isPolymorphic { try writer.readBatchSize(from: arguments) }
        let results = try writer.write(self, arguments)

        let comments = zip(arguments, inputNames).map { "  // \($0.name): \($1.filter { !$0.isNewline })" }
        let parameters = arguments.map { "\($0.name): \($0.type.text)" }.joined(separator: ", ")
        let types = results.map(\.type.text).joined(separator: ", ")
        let attributes = isPolymorphic ? " attributes {jax.uses_shape_polymorphism = true}" : ""
        let head = ["module @\(name)\(attributes) {"] + comments
        let function = ["  func.func public @main(\(parameters)) -> (\(types)) {"] + writer.lines
        let values = results.map(\.name).joined(separator: ", ")
        let end = ["    return \(values)\(results.isEmpty ? "" : " : ")\(types)", "  }", "}", ""]
        return (head + function + end).joined(separator: "\n")
    }
}
