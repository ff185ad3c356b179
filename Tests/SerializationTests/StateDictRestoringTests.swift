// Restoring into templates: what is refused, and in which words.
import Serialization
import TensorEngine
import Testing

@Suite struct StateDictRestoringTests {
    private let template: StateDict = ["params": ["Dense_0": ["kernel": 0, "bias": 0]]]

    @Test("missing keys are listed with the path")
    func missingKeys() throws {
        let state: StateDict = ["params": ["Dense_0": ["kernels": 1]]]
        let error = #expect(throws: SerializationError.self) { try fromStateDict(template, state) }
        #expect(
            error?.description.hasPrefix(
                "fromStateDict at /params/Dense_0: expected the keys 'kernel', 'bias', "
                    + "got a state dict without 'bias', 'kernel'.") == true, "\(error?.description ?? "")")
    }

    @Test("lists and tuples of another length are refused with both lengths")
    func lengths() throws {
        let error = #expect(throws: SerializationError.self) {
            try fromStateDict(["opt": .tuple([1, 2, 3])] as StateDict, ["opt": ["0": 1, "1": 2]])
        }
        #expect(error?.path == "/opt")
        #expect(error?.expected == "a tuple of 3 elements")
        #expect(error?.got == "a state dict of 2")
    }

    @Test("records take neither fewer nor more fields than they have")
    func records() throws {
        let record = StateDict.record(name: "ScaleByAdamState", fields: [.init("mu", 0), .init("nu", 0)])
        let error = #expect(throws: SerializationError.self) {
            try fromStateDict(record, ["mu": 1, "sigma": 2])
        }
        #expect(error?.got == "a state dict without 'nu' and with unknown 'sigma'")
        #expect(error?.expected.contains("ScaleByAdamState") == true)
    }

    @Test("a leaf where a dictionary belongs is refused")
    func leafForDictionary() throws {
        let error = #expect(throws: SerializationError.self) { try fromStateDict(template, ["params": 3]) }
        #expect(error?.path == "/params")
    }

    @Test("a tree comes back with the file's values in the template's structure, extra keys left out")
    func trees() throws {
        let kernel = try Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3])
        let saved: FrozenDict = ["b": .tuple([.tensor(kernel), .none]), "extra": .tensor(kernel)]
        let template: FrozenDict = ["b": .tuple([.tensor(try zeros([2, 3])), .none])]
        let restored = try fromBytes(template, try toBytes(saved))
        #expect(restored.keys == ["b"])
        #expect(try restored["b"]?["0"]?.tensor?.elements(as: Float.self) == [1, 2, 3, 4, 5, 6])
    }

    @Test("text cannot become a tensor, and the error names the place")
    func textForTensor() throws {
        let template: FrozenDict = ["a": ["b": .tensor(try zeros([]))]]
        let error = #expect(throws: SerializationError.self) {
            try fromStateDict(template, ["a": ["b": "text"]])
        }
        #expect(error?.path == "/a/b")
        #expect(error?.kind == .unsupported)
    }

    @Test("bool arrays that are neither 0 nor 1 are read as true, so that no kernel sees another byte")
    func boolBytes() throws {
        var bytes = try toBytes(["x": .array(.tensor(try Tensor([true, false], shape: [2])))] as StateDict)
        bytes[bytes.count - 2] = 7
        guard case .array(let array)? = try msgpackRestore(bytes)["x"] else {
            Issue.record("no array")
            return
        }
        #expect(try array.withUnsafeBytes { Array($0) } == [1, 0])
    }
}

extension Tree: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, Tree)...) { self = .dictionary(FrozenDict(elements)) }
}
